"use strict";
/* Who feeds whom: ops as boxes, modules folded up or opened as frames around them; laid out by dagre. */
const Graph = (() => {
  const { shape, fit, measure, tipped, COLOURS } = Drawing;
  /* So many boxes are open at first. */
  const FIRST = 40;
  /* What dagre lays out in about three seconds, as effortOf has it. */
  const MOST = 3000;
  const HEIGHT = 40;
  const WIDEST = 250;
  const HEAD = 20;

  /* ---- what is open ---- */

  /* Whole levels as long as they find room, then one example of each class of module. */
  function firstOpen(root) {
    const open = new Set([root.id]);
    let level = root.parts.filter((part) => !part.op);
    let shown = root.parts.length;
    const grown = (parts) => parts.reduce((more, part) => more + part.parts.length - 1, 0);
    while (level.length && shown + grown(level) <= FIRST) {
      shown += grown(level);
      for (const part of level) open.add(part.id);
      level = level.flatMap((part) => part.parts.filter((inner) => !inner.op));
    }
    const examples = new Set();
    for (const part of level) {
      if (examples.has(part.cls) || shown + part.parts.length > FIRST * 1.5) continue;
      examples.add(part.cls);
      shown += part.parts.length - 1;
      open.add(part.id);
    }
    return open;
  }

  const folded = (part) => (part.op ? [] : [part, ...part.parts.flatMap(folded)]);
  const idsOf = (root) => folded(root).map((part) => part.id);

  /* The runs around an op, the outermost first. */
  function around(part, node) {
    if (part.op) return [];
    const inner = part.parts.find((each) => each.nodes.includes(node));
    return inner ? [part.id, ...around(inner, node)] : [];
  }

  function visible(root, open) {
    const boxes = [];
    const frames = [];
    const walk = (part, frame) => {
      if (part.op || !open.has(part.id)) {
        boxes.push({ part, frame, kind: "box" });
        return;
      }
      if (part !== root) frames.push({ part, frame, kind: "frame" });
      if (part !== root) boxes.push({ part, frame, kind: "head" });
      for (const inner of part.parts) walk(inner, part === root ? null : part.id);
    };
    walk(root, null);
    return { boxes: boxes.filter((each) => each.kind === "box"), frames, order: boxes };
  }

  /* How long dagre takes, in about milliseconds: a step for each row of boxes that a line passes, and a part that
     grows with the square of the boxes (measured with dagre 3.1 on ResNet-152 and DenseNet-121). */
  function effortOf(model, root, nodes, open) {
    const { boxes } = visible(root, open);
    const ranks = new Map(boxes.map(({ part }) => [part.id, 0]));
    const edges = edgesOf(model, nodes, boxes).filter(({ from, to }) => ranks.has(from) && ranks.has(to));
    const into = new Map();
    for (const edge of edges) into.set(edge.to, [...(into.get(edge.to) || []), edge.from]);
    // In the order of the trace, in which every line leads on.
    for (const { part } of boxes) ranks.set(part.id, Math.max(0, ...(into.get(part.id) || []).map((from) => ranks.get(from) + 1)));
    return edges.reduce((steps, { from, to }) => steps + ranks.get(to) - ranks.get(from), boxes.length ** 2 / 180);
  }

  const isTooMuch = (...graph) => effortOf(...graph) > MOST;

  /* ---- edges ---- */

  /* How many ops lie before each one: of what an addition joins, the shortcut is what has fewer. */
  function depthsOf(nodes) {
    const depths = new Map();
    for (const node of nodes) depths.set(node.id, 1 + Math.max(0, ...node.sources.map((source) => depths.get(source) ?? 0)));
    return depths;
  }

  function edgesOf(model, nodes, boxes) {
    const boxOf = new Map(boxes.flatMap(({ part }) => part.nodes.map((node) => [node.id, part.id])));
    const depths = depthsOf(model.graph.nodes);
    const edges = new Map();
    const join = (from, to, shortcut) => {
      if (from === to) return;
      const key = `${from} ${to}`;
      const known = edges.get(key);
      edges.set(key, { from, to, shortcut: shortcut && (known ? known.shortcut : true) });
    };
    for (const node of nodes) {
      const near = node.sources.map((source) => depths.get(source) ?? 0);
      const deepest = Math.max(...near);
      node.sources.forEach((source, place) => {
        const shortcut = Modules.isJoin(node) && near[place] < deepest;
        join(source < 0 ? "input" : boxOf.get(source) ?? "before", boxOf.get(node.id), shortcut);
      });
    }
    const inside = new Set(nodes.map((node) => node.id));
    for (const output of model.graph.outputs) if (inside.has(output)) join(boxOf.get(output), "output", false);
    if (nodes.length < model.graph.nodes.length) {
      for (const node of model.graph.nodes) {
        if (inside.has(node.id)) continue;
        for (const source of node.sources) if (inside.has(source)) join(boxOf.get(source), "after", false);
      }
    }
    return [...edges.values()];
  }

  /* ---- figures ---- */

  /* A row may have several calls; parameters belong to the first of them. */
  function costOf(model, nodes, of, once) {
    if (once) return Figures.sum([...new Set(nodes.map((node) => node.row))].filter((row) => row >= 0).map((row) => model.rows[row]), of);
    return nodes.reduce((total, { row }) => (row < 0 ? total : total + of(model.rows[row]) / BigInt(model.rows[row].calls || 1)), 0n);
  }

  function kindOf(model, part, of) {
    if (part.op) return part.op.kind;
    const sums = new Map();
    for (const node of part.nodes) sums.set(node.kind, (sums.get(node.kind) || 0n) + costOf(model, [node], of, false));
    return [...sums].sort((one, two) => (one[1] < two[1] ? 1 : -1))[0][0];
  }

  /* ---- drawing ---- */

  const ENDS = { input: "input", output: "output", before: "from the ops before", after: "to the ops after" };

  function textsOf(model, part, figure) {
    if (part.op) return [Modules.titleOf(part), [part.op.outputs.split(", ")[0], figure].filter(Boolean).join(" · ")];
    const joins = part.nodes.filter(Modules.isJoin).length;
    const inside = `${part.nodes.length} ops${joins ? `, ${joins} ${joins === 1 ? "shortcut" : "shortcuts"}` : ""}`;
    return [`▸ ${Modules.titleOf(part)}`, [inside, figure].filter(Boolean).join(" · ")];
  }

  const isCircle = (part) => part.op !== null && Modules.isJoin(part.op);

  function layOut(boxes, frames, edges, texts, ends) {
    const graph = new dagre.graphlib.Graph({ compound: true });
    graph.setGraph({ rankdir: "TB", nodesep: 26, ranksep: frames.length ? 30 : 26, edgesep: 14, marginx: 16, marginy: 16 });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const { part } of frames) graph.setNode(part.id, {});
    for (const { part } of boxes) {
      const widest = Math.max(...texts.get(part.id).map((text, line) => measure(text, line === 0)));
      graph.setNode(part.id, isCircle(part) ? { width: 30, height: 30 } : { width: Math.min(Math.max(widest + 16, 80), WIDEST), height: HEIGHT });
    }
    for (const end of Object.keys(ends)) graph.setNode(end, { width: measure(ends[end]) + 28, height: 28 });
    for (const { part, frame } of [...frames, ...boxes]) if (frame !== null) graph.setParent(part.id, frame);
    for (const { from, to } of edges) graph.setEdge(from, to, {});
    dagre.layout(graph);
    makeRoomForHeads(graph, frames.map(({ part }) => graph.node(part.id)));
    return graph;
  }

  /* Moves what is below the top of a frame down by the height of its title. */
  function makeRoomForHeads(graph, frames) {
    const tops = [...new Set(frames.map((frame) => Math.round(frame.y - frame.height / 2)))].sort((one, two) => one - two);
    const above = (y, inclusive) => HEAD * tops.filter((top) => (inclusive ? top <= y : top < y)).length;
    for (const frame of frames) {
      const top = Math.round(frame.y - frame.height / 2), bottom = top + frame.height;
      const [begin, end] = [top + above(top, false), bottom + above(bottom, false)];
      frame.y = (begin + end) / 2;
      frame.height = end - begin;
    }
    const isFrame = new Set(frames);
    for (const id of graph.nodes()) {
      const node = graph.node(id);
      if (!isFrame.has(node)) node.y += above(node.y, true);
    }
    for (const edge of graph.edges()) for (const point of graph.edge(edge).points) point.y += above(point.y, true);
    graph.graph().height += HEAD * tops.length;
  }

  /* Draws one model: `root` with the runs of `nodes`, of which `open` has the ids of the open ones. */
  function draw({ model, root, nodes, open, of, once, label, tip, activate, selected, node: chosen, dimmed }) {
    const theme = Drawing.theme();
    const { boxes, frames, order } = visible(root, open);
    const edges = edgesOf(model, nodes, boxes);
    const ends = Object.fromEntries(Object.entries({ ...ENDS, input: `input ${model.input}` }).filter(([end]) => edges.some(({ from, to }) => from === end || to === end)));
    const figureOf = (part) => { const cost = costOf(model, part.nodes, of, once); return cost > 0n ? Figures.rounded(cost) : ""; };
    const texts = new Map(boxes.map(({ part }) => [part.id, textsOf(model, part, figureOf(part))]));
    const graph = layOut(boxes, frames, edges, texts, ends);
    const { width, height } = graph.graph();
    const svg = Drawing.canvas(Math.ceil(Math.max(width, 120)), Math.ceil(Math.max(height, 60)), label);
    svg.append(arrowHeads(theme));
    const kinds = new Set();
    for (const { part } of frames) svg.append(frameOf(graph.node(part.id), theme));
    for (const edge of edges) svg.append(lineOf(graph.edge(edge.from, edge.to), edge, theme));
    for (const [end, text] of Object.entries(ends)) svg.append(endOf(graph.node(end), text, theme));
    for (const { part, kind } of order) svg.append(kind === "head" ? headOf(part) : boxOf(part));
    svg.edges = edges;
    return { svg, kinds, boxes: boxes.length };

    function blockOf(part, expanded) {
      const group = shape("g", { role: "button", tabindex: "-1", "data-block": part.id, class: "block", "aria-label": tip(part).filter(Boolean).join("; ") });
      if (!part.op) group.setAttribute("aria-expanded", String(expanded));
      group.unit = part;
      if (dimmed && !part.nodes.some((node) => dimmed.has(node.row))) group.setAttribute("opacity", "0.3");
      tipped(group, () => tip(part));
      group.addEventListener("click", () => activate(part));
      return group;
    }

    function headOf(part) {
      const at = graph.node(part.id);
      const group = blockOf(part, true);
      const figure = figureOf(part);
      group.append(shape("rect", { x: at.x - at.width / 2, y: at.y - at.height / 2, width: at.width, height: HEAD, fill: theme.shade, stroke: theme.muted, "stroke-width": 1, rx: 3 }));
      group.append(shape("text", { x: at.x - at.width / 2 + 6, y: at.y - at.height / 2 + 14, fill: theme.ink, "font-weight": 600 }, fit(`▾ ${Modules.titleOf(part)}${figure ? ` · ${figure}` : ""}`, at.width - 8, true)));
      return group;
    }

    function boxOf(part) {
      const at = graph.node(part.id);
      const group = blockOf(part, false);
      const kind = kindOf(model, part, of);
      const left = at.x - at.width / 2, top = at.y - at.height / 2;
      kinds.add(kind);
      if (isCircle(part)) {
        group.append(shape("circle", { cx: at.x, cy: at.y, r: 15, fill: theme.paper, stroke: theme.accent, "stroke-width": 2 }));
        group.append(shape("path", { d: `M${at.x - 7},${at.y}h14M${at.x},${at.y - 7}v14`, stroke: theme.accent, "stroke-width": 2 }));
      } else {
        if (!part.op) group.append(shape("rect", { x: left + 4, y: top + 4, width: at.width, height: at.height, rx: 4, fill: theme.shade, stroke: theme.muted }));
        group.append(shape("rect", { x: left, y: top, width: at.width, height: at.height, rx: 4, fill: COLOURS[kind], stroke: theme.paper, "stroke-width": 1 }));
        const [title, what] = texts.get(part.id);
        group.append(shape("text", { x: left + 8, y: top + 16, fill: "#ffffff", "font-weight": 600 }, fit(title, at.width - 12, true)));
        group.append(shape("text", { x: left + 8, y: top + 32, fill: "#ffffff" }, fit(what, at.width - 12)));
        // A shortcut inside what is folded up.
        if (!part.op && part.nodes.some(Modules.isJoin)) {
          group.append(shape("path", { d: `M${left + at.width},${top + 6}c16,0 16,${at.height - 12} 0,${at.height - 12}`, fill: "none", stroke: theme.accent, "stroke-width": 2 }));
        }
      }
      if (part.nodes.some((node) => (chosen ? node === chosen : selected !== null && node.row === selected))) {
        group.append(shape("rect", { x: left - 3, y: top - 3, width: at.width + 6, height: at.height + 6, rx: 6, fill: "none", stroke: "#e0a100", "stroke-width": 3, class: "chosen" }));
      }
      return group;
    }
  }

  function arrowHeads(theme) {
    const marks = shape("defs");
    for (const [id, fill] of [["arrow", theme.muted], ["arrow-shortcut", theme.accent]]) {
      const mark = shape("marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" });
      mark.append(shape("path", { d: "M0,0L8,4L0,8z", fill }));
      marks.append(mark);
    }
    return marks;
  }

  function frameOf(at, theme) {
    return shape("rect", { x: at.x - at.width / 2, y: at.y - at.height / 2, width: at.width, height: at.height, rx: 4, fill: theme.shade, "fill-opacity": 0.6, stroke: theme.muted, "stroke-width": 1, class: "frame" });
  }

  function endOf(at, text, theme) {
    const group = shape("g", { class: "end" });
    group.append(shape("rect", { x: at.x - at.width / 2, y: at.y - at.height / 2, width: at.width, height: at.height, rx: 14, fill: theme.paper, stroke: theme.muted }));
    group.append(shape("text", { x: at.x, y: at.y + 4, fill: theme.ink, "text-anchor": "middle" }, text));
    return group;
  }

  /* Through the middles of dagre's points, so that a line bends without corners. */
  function lineOf({ points }, { shortcut }, theme) {
    const at = ({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`;
    const middle = (one, two) => ({ x: (one.x + two.x) / 2, y: (one.y + two.y) / 2 });
    let d = `M${at(points[0])}`;
    for (let n = 1; n < points.length - 1; n += 1) d += `Q${at(points[n])} ${at(n === points.length - 2 ? points[n + 1] : middle(points[n], points[n + 1]))}`;
    if (points.length === 2) d += `L${at(points[1])}`;
    return shape("path", {
      d, fill: "none", stroke: shortcut ? theme.accent : theme.muted, "stroke-width": shortcut ? 2.2 : 1.3,
      "marker-end": `url(#${shortcut ? "arrow-shortcut" : "arrow"})`, class: shortcut ? "edge shortcut" : "edge",
    });
  }

  function keys(svg, { activate, up }) {
    const find = (id) => svg.querySelector(`[data-block="${CSS.escape(id)}"]`);
    const first = (ids) => ids.map(find).find(Boolean) || null;
    Drawing.roving(svg, (block, key, all, at) => {
      const { id } = block.unit;
      if (key === "ArrowDown") return first(svg.edges.filter(({ from }) => from === id).map(({ to }) => to)) || all[at + 1] || null;
      if (key === "ArrowUp") return first(svg.edges.filter(({ to }) => to === id).map(({ from }) => from)) || all[at - 1] || null;
      if (key === "ArrowRight") return all[at + 1] || null;
      if (key === "ArrowLeft") return all[at - 1] || null;
      if (key === "Enter" || key === " ") { activate(block.unit); return null; }
      if (key === "Escape") { up(block.unit); return null; }
      return undefined;
    });
  }

  return { draw, keys, firstOpen, idsOf, around, isTooMuch, costOf };
})();
