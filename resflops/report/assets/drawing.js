"use strict";
/* What both pictures share: SVG, colours, tooltips, keys, and files to take away. Colours are attributes and not
   styles, so that an exported picture looks as it does here. */
const Drawing = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif";
  /* Of each kind of op, in the order of Figures.kinds; white text can be read on all of them. */
  const COLOURS = ["#00588f", "#1a76b0", "#0b7480", "#b84f00", "#a8467f", "#7a5195", "#007a59", "#8a6000", "#5b6b2f", "#7d5a4f", "#59636e"];
  function element(kind, text, attributes = {}) {
    const made = document.createElement(kind);
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  function shape(kind, attributes = {}, text) {
    const made = document.createElementNS(SVG, kind);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function theme() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    return { paper: colour("paper"), ink: colour("ink"), muted: colour("muted"), line: colour("line"), shade: colour("shade"), accent: colour("accent") };
  }

  /* Widths as this browser's font has them; another's may be a little wider. */
  const ruler = document.createElement("canvas").getContext("2d");
  const widths = new Map();

  function measure(text, bold = false) {
    const key = `${bold ? 600 : 400} 12px ${FONT}`;
    const known = widths.get(key + text);
    if (known !== undefined) return known;
    ruler.font = key;
    const width = ruler.measureText(text).width * 1.02;
    widths.set(key + text, width);
    return width;
  }

  /* As much of a text as finds room. */
  function fit(text, width, bold = false) {
    if (measure(text, bold) <= width) return text;
    let room = Math.min(text.length - 1, Math.floor(width / 4));
    while (room > 1 && measure(`${text.slice(0, room)}…`, bold) > width) room -= 1;
    return room > 1 ? `${text.slice(0, room)}…` : "";
  }

  function canvas(width, height, label) {
    const svg = shape("svg", {
      xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "font-family": FONT, "font-size": 12,
    });
    svg.setAttribute("aria-label", label);
    // Browsers take what listens to focus for a stop of Tab.
    svg.setAttribute("tabindex", "-1");
    svg.append(shape("rect", { width, height, fill: theme().paper }));
    return svg;
  }

  /* ---- tooltips ---- */

  const tip = () => document.getElementById("tip");

  function showTip(lines, left, top) {
    const box = tip();
    box.replaceChildren(...lines.filter(Boolean).map((line, place) => element(place ? "span" : "b", line)));
    box.hidden = false;
    const { width, height } = box.getBoundingClientRect();
    box.style.left = `${Math.max(4, Math.min(left + 14, innerWidth - width - 8))}px`;
    box.style.top = `${top + 18 + height > innerHeight ? Math.max(4, top - height - 12) : top + 18}px`;
  }

  function hideTip() { tip().hidden = true; }

  function tipped(target, lines) {
    target.addEventListener("pointermove", (event) => { event.stopPropagation(); showTip(lines(), event.clientX, event.clientY); });
    target.addEventListener("pointerleave", hideTip);
    target.addEventListener("focus", () => {
      if (!target.matches(":focus-visible")) return;
      const box = target.getBoundingClientRect();
      showTip(lines(), box.left, box.bottom - 14);
    });
    target.addEventListener("blur", hideTip);
  }

  /* ---- keys: a picture is one stop of Tab, and the arrows go on inside it ---- */

  function roving(svg, step) {
    const items = () => [...svg.querySelectorAll("[data-block]")];
    const [begin] = items();
    if (begin) begin.setAttribute("tabindex", "0");
    svg.addEventListener("focusin", (event) => {
      const block = event.target.closest("[data-block]");
      if (!block) return;
      for (const other of svg.querySelectorAll("[tabindex='0']")) other.setAttribute("tabindex", "-1");
      block.setAttribute("tabindex", "0");
    });
    svg.addEventListener("keydown", (event) => {
      const block = event.target.closest("[data-block]");
      if (!block || event.ctrlKey || event.metaKey || event.altKey) return;
      const all = items();
      const at = all.indexOf(block);
      const next = { Home: all[0], End: all.at(-1) }[event.key] || step(block, event.key, all, at);
      if (next === undefined) return;
      event.preventDefault();
      if (next) next.focus();
    });
  }

  /* ---- files ---- */

  function save(blob, name) {
    const link = element("a", undefined, { href: URL.createObjectURL(blob), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  /* The picture as a file of its own: without what only a page can do. */
  function standalone(svg) {
    const copy = svg.cloneNode(true);
    copy.removeAttribute("tabindex");
    copy.setAttribute("width", svg.viewBox.baseVal.width);
    copy.setAttribute("height", svg.viewBox.baseVal.height);
    for (const block of copy.querySelectorAll("[data-block]")) {
      for (const name of ["tabindex", "role", "data-block", "aria-expanded", "class"]) block.removeAttribute(name);
      block.prepend(shape("title", {}, block.getAttribute("aria-label")));
      block.removeAttribute("aria-label");
    }
    return new XMLSerializer().serializeToString(copy);
  }

  const saveSvg = (svg, name) => save(new Blob([standalone(svg)], { type: "image/svg+xml" }), `${name}.svg`);

  function savePng(svg, name) {
    const { width, height } = svg.viewBox.baseVal;
    // Twice as fine as the screen, but no larger than browsers can draw.
    const scale = Math.min(2, 16000 / Math.max(width, height));
    const image = new Image();
    const done = new Promise((resolve, reject) => { image.onload = resolve; image.onerror = reject; });
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(standalone(svg))}`;
    return done.then(() => {
      const surface = element("canvas", undefined, { width: Math.ceil(width * scale), height: Math.ceil(height * scale) });
      surface.getContext("2d").drawImage(image, 0, 0, surface.width, surface.height);
      return new Promise((resolve) => { surface.toBlob((blob) => { save(blob, `${name}.png`); resolve(); }, "image/png"); });
    });
  }

  function legend(kinds) {
    const list = element("ul", undefined, { class: "legend", "aria-label": "Colours" });
    for (const kind of [...kinds].sort((one, two) => one - two)) {
      const item = element("li");
      const key = shape("svg", { width: 12, height: 12, "aria-hidden": "true" });
      key.append(shape("rect", { width: 12, height: 12, rx: 2, fill: COLOURS[kind] }));
      item.append(key, element("span", Figures.kinds[kind]));
      list.append(item);
    }
    return list;
  }

  return { element, shape, theme, fit, measure, canvas, showTip, hideTip, tipped, roving, save, saveSvg, savePng, legend, COLOURS };
})();
