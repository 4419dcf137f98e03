"use strict";
/* Modules as areas, in forward order; a module is opened as long as what is in it can be read. */
const Treemap = (() => {
  const { shape, fit, tipped, COLOURS } = Drawing;
  const HEAD = 18;
  const ROOM = { width: 64, height: 58 };
  /* Square pixels below which blocks are not told apart. */
  const LEAST = 140;

  function kindOf(node, of) {
    const sums = new Map();
    for (const row of node.rows) sums.set(row.kind, (sums.get(row.kind) || 0n) + of(row));
    return [...sums].sort((one, two) => (one[1] < two[1] ? 1 : -1))[0][0];
  }

  /* Areas for values, side by side in their order: halves of about the same sum. */
  function tiles(values, box, gap) {
    const root = d3.hierarchy({ children: values.map((value) => ({ value })) }).sum((datum) => datum.value || 0);
    d3.treemap().tile(d3.treemapBinary).size([box.width, box.height]).paddingInner(gap)(root);
    return (root.children || []).map(({ x0, y0, x1, y1 }) => ({ x: box.x + x0, y: box.y + y0, width: x1 - x0, height: y1 - y0 }));
  }

  /* Draws one model. `of` gives a row's figure; `side` is the picture's part of the box, for a common scale. */
  function draw({ node, of, box, side, label, nothing, tip, activate, selected, dimmed }) {
    const theme = Drawing.theme();
    const cost = (part) => Figures.sum(part.rows, of);
    const svg = Drawing.canvas(box.width, box.height, label);
    const kinds = new Set();
    const area = { x: 1, y: 1, width: (box.width - 2) * side, height: (box.height - 2) * side };
    const whole = cost(node);
    if (side < 1) svg.append(shape("rect", { x: 0.5, y: 0.5, width: box.width - 1, height: box.height - 1, fill: "none", stroke: theme.line, "stroke-dasharray": "4 4" }));
    if (whole > 0n) place(svg, node, area, 0);
    else svg.append(shape("text", { x: 12, y: 24, fill: theme.muted }, nothing));
    return { svg, kinds };

    function place(parent, module, room, depth) {
      const blocks = Modules.blocksOf(module, cost);
      const boxes = tiles(blocks.map((block) => Number(cost(block))), room, depth ? 1 : 3);
      blocks.forEach((block, number) => add(parent, block, boxes[number], depth));
    }

    function add(parent, block, at, depth) {
      const opened = block.parts.length > 0 && at.width > ROOM.width && at.height > ROOM.height
        && (at.width - 4) * (at.height - HEAD - 4) / block.parts.length > LEAST;
      const group = shape("g", { role: "button", tabindex: "-1", "data-block": Modules.keysOf(block).join("."), class: "block" });
      group.block = block;
      group.depth = depth;
      const figure = Figures.rounded(cost(block));
      group.setAttribute("aria-label", tip(block).filter(Boolean).join("; "));
      const kind = kindOf(block, of);
      if (dimmed && !block.rows.some((row) => dimmed.has(row.id))) group.setAttribute("opacity", "0.25");
      const chosen = selected !== null && block.rows.some((row) => row.id === selected);
      const rect = shape("rect", {
        x: at.x, y: at.y, width: Math.max(at.width, 0.5), height: Math.max(at.height, 0.5), rx: Math.min(3, at.width / 4, at.height / 4),
        fill: opened ? theme.shade : COLOURS[kind], stroke: opened ? theme.muted : theme.paper, "stroke-width": opened ? 1 : 0.5,
      });
      group.append(rect);
      if (opened) {
        const [name, width] = [Modules.labelOf(block), at.width - 10];
        const all = `${name} · ${figure}`;
        write(group, Drawing.measure(all) <= width ? all : name, at.x + 6, at.y + 13, width, theme.ink);
      } else {
        kinds.add(kind);
        writeBlock(group, block, figure, at);
      }
      if (chosen && !opened) group.append(shape("rect", { x: at.x + 1.5, y: at.y + 1.5, width: Math.max(at.width - 3, 0), height: Math.max(at.height - 3, 0), fill: "none", stroke: "#ffd33d", "stroke-width": 3, class: "chosen" }));
      parent.append(group);
      tipped(group, () => tip(block));
      group.addEventListener("click", (event) => { event.stopPropagation(); activate(block); });
      if (opened) place(group, block, { x: at.x + 3, y: at.y + HEAD, width: at.width - 6, height: at.height - HEAD - 3 }, depth + 1);
    }

    function writeBlock(group, block, figure, at) {
      if (at.height < 15) return;
      const middle = at.height < 32;
      const label = Modules.labelOf(block);
      write(group, middle ? `${label} · ${figure}` : label, at.x + 5, at.y + (middle ? at.height / 2 + 4 : 15), at.width - 8, "#ffffff");
      if (!middle) write(group, figure, at.x + 5, at.y + 30, at.width - 8, "#ffffff");
    }

    function write(group, text, x, y, width, fill) {
      const shown = fit(text, width);
      if (shown) group.append(shape("text", { x, y, fill, "pointer-events": "none" }, shown));
    }
  }

  function keys(svg, { activate, up }) {
    Drawing.roving(svg, (block, key, all, at) => {
      const beside = all.filter((other) => other.parentNode === block.parentNode);
      if (key === "ArrowRight") return beside[beside.indexOf(block) + 1] || null;
      if (key === "ArrowLeft") return beside[beside.indexOf(block) - 1] || null;
      if (key === "ArrowDown") return block.querySelector("[data-block]") || all[at + 1] || null;
      if (key === "ArrowUp") return block.parentNode.closest("[data-block]") || null;
      if (key === "Enter" || key === " ") { activate(block.block); return null; }
      if (key === "Escape" || key === "Backspace") { up(); return null; }
      return undefined;
    });
  }

  return { draw, keys };
})();
