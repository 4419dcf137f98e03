"use strict";
/* What happens at each control: a step is chosen by the picture, by the slider or by the address. */
(() => {
  const { element } = Drawing;
  const at = (name) => document.getElementById(name);
  const ROWS = 50;
  const present = Pass.kinds.filter((kind) => document.querySelector(`[data-kind=${kind.name}]`));

  let chosen = Pass.peakStep;
  let rows = ROWS;
  let svg = null;

  const shown = () => Pass.kinds.filter((kind) => document.querySelector(`[data-kind=${kind.name}]:checked`));

  function showChart() {
    svg = Chart.draw(at("chart"), shown());
    for (const kind of present) document.querySelector(`[data-key=${kind.name}]`).style.background = Chart.colour(kind);
    Chart.moveLine(chosen);
    svg.addEventListener("pointermove", (event) => {
      const step = stepOf(event);
      Chart.moveLine(step);
      Drawing.showTip(describe(step), event.clientX, event.clientY);
    });
    svg.addEventListener("pointerleave", () => { Drawing.hideTip(); Chart.moveLine(chosen); });
    svg.addEventListener("click", (event) => choose(stepOf(event)));
  }

  const stepOf = (event) => Chart.stepAt(event.clientX - svg.getBoundingClientRect().left);

  function describe(step) {
    const parts = present.filter((kind) => Pass.curves[Pass.kinds.indexOf(kind)][step])
      .map((kind) => `${kind.heading}: ${Pass.binary(Pass.curves[Pass.kinds.indexOf(kind)][step])}`).reverse();
    return [`Step ${Pass.numbered(step)}: ${Pass.both(Pass.sumAt(step))}`, Pass.describe(step), ...parts];
  }

  function choose(step) {
    chosen = Math.min(Math.max(step, 0), Pass.count - 1);
    at("step").value = chosen + 1;
    rows = ROWS;
    Chart.moveLine(chosen);
    history.replaceState(null, "", chosen === Pass.peakStep ? location.pathname + location.search : `#step=${chosen + 1}`);
    showHeld();
  }

  function showHeld() {
    const whole = Pass.sumAt(chosen);
    const number = `Step ${Pass.numbered(chosen)} of ${Pass.written(Pass.count)}`;
    const text = `${number}${chosen === Pass.peakStep ? ", the peak" : ""}: ${Pass.both(whole)} in use, at ${Pass.describe(chosen)}.`;
    at("chosen").textContent = text;
    at("said").textContent = text;
    at("step-shown").textContent = number;
    at("step").setAttribute("aria-valuetext", text);
    showParts(whole);
    showHolders(whole);
  }

  function showParts(whole) {
    const head = row("th", ["part", "held", "bytes", "share"], "col");
    const body = present.map((kind) => {
      const size = Pass.curves[Pass.kinds.indexOf(kind)][chosen];
      return row("td", [kind.heading, Pass.binary(size), Pass.written(size), Pass.share(size, whole)]);
    });
    const foot = row("td", ["in all", Pass.binary(whole), Pass.written(whole), ""]);
    fill(at("parts"), head, body, foot);
  }

  function showHolders(whole) {
    const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const grouping = at("grouping").value;
    const all = grouping === "blocks" ? Pass.listBlocks(chosen) : Pass.listHolders(chosen, Number(grouping));
    const found = all.filter((each) => words.every((word) => `${nameOf(each)} ${each.name || ""}`.toLowerCase().includes(word)));
    if (grouping === "blocks") showBlocks(found, whole);
    else showLayers(found, whole);
    const what = grouping === "blocks" ? "blocks" : "layers";
    at("found").textContent = words.length ? `${Pass.written(found.length)} of ${Pass.written(all.length)} ${what}` : `${Pass.written(all.length)} ${what}`;
    at("more").hidden = found.length <= rows;
    at("more").textContent = `Show all ${Pass.written(found.length)} ${what}`;
  }

  const nameOf = (each) => each.layer || "(the model itself)";

  function showLayers(found, whole) {
    const used = present.filter((kind) => Pass.curves[Pass.kinds.indexOf(kind)][chosen]);
    const head = row("th", ["layer", "held", "bytes", "share", ...used.map((kind) => kind.heading)], "col");
    const body = found.slice(0, rows).map((each) => row("td", [
      nameOf(each), Pass.binary(each.size), Pass.written(each.size), Pass.share(each.size, whole),
      ...used.map((kind) => (each.byKind[Pass.kinds.indexOf(kind)] ? Pass.binary(each.byKind[Pass.kinds.indexOf(kind)]) : "")),
    ]));
    fill(at("holders"), head, body);
  }

  function showBlocks(found, whole) {
    const head = row("th", ["layer", "taken by", "part", "held", "bytes", "share", "from step", "to step"], "col");
    const body = found.slice(0, rows).map((each) => row("td", [
      nameOf(each), each.name, each.kind.heading, Pass.binary(each.size), Pass.written(each.size), Pass.share(each.size, whole),
      each.born < 0 ? "before the pass" : Pass.numbered(each.born), each.died === null ? "the end" : Pass.numbered(each.died - 1),
    ]));
    fill(at("holders"), head, body);
  }

  function row(kind, texts, scope) {
    const made = element("tr");
    texts.forEach((text, place) => {
      const cell = place || scope ? element(kind, text) : element("th", text, { scope: "row" });
      if (scope) cell.setAttribute("scope", scope);
      made.append(cell);
    });
    return made;
  }

  function fill(table, head, body, foot) {
    const parts = [element("thead"), element("tbody"), ...(foot ? [element("tfoot")] : [])];
    parts[0].append(head);
    parts[1].append(...body);
    if (foot) parts[2].append(foot);
    table.replaceChildren(...parts);
  }

  function listGroupings() {
    const depths = Array.from({ length: Math.max(Pass.deepest - 1, 0) }, (_, place) => place + 1);
    const options = [["0", "each layer"], ...depths.map((depth) => [`${depth}`, `modules, depth ${depth}`]), ["blocks", "each block of memory"]];
    at("grouping").append(...options.map(([value, text]) => element("option", text, { value })));
  }

  function readAddress() {
    const found = /^#step=(\d+)$/.exec(location.hash);
    choose(found ? Number(found[1]) - 1 : Pass.peakStep);
  }

  listGroupings();
  showChart();
  readAddress();
  for (const box of document.querySelectorAll("[data-kind]")) box.addEventListener("change", showChart);
  at("step").addEventListener("input", () => choose(Number(at("step").value) - 1));
  at("before").addEventListener("click", () => choose(chosen - 1));
  at("after").addEventListener("click", () => choose(chosen + 1));
  at("to-peak").addEventListener("click", () => choose(Pass.peakStep));
  at("grouping").addEventListener("change", () => { rows = ROWS; showHeld(); });
  at("search").addEventListener("input", () => { rows = ROWS; showHeld(); });
  at("more").addEventListener("click", () => { rows = Infinity; showHeld(); at("held-heading").focus(); });
  const name = `${Pass.model.replace(/[^\w.-]+/g, "_").slice(0, 60)}-memory`;
  at("save-svg").addEventListener("click", () => Drawing.saveSvg(svg, name));
  at("save-png").addEventListener("click", () => Drawing.savePng(svg, name).catch(() => { at("said").textContent = "the picture is too large for a PNG; save it as SVG"; }));
  window.addEventListener("hashchange", readAddress);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showChart);
  let wide = innerWidth;
  window.addEventListener("resize", () => { if (innerWidth !== wide) { wide = innerWidth; showChart(); } });
})();
