"use strict";
/* The graph in its panel: what of it is open, how large it is, and the buttons for both. */
const GraphView = (() => {
  const { models, written } = Figures;
  const { element } = Drawing;
  const { at, zoomed, toggled, zoom, measure, figure, chosenNode } = Choices;

  function graphOf(place, node) {
    const model = models[place];
    const inside = new Set(node.rows.map((row) => row.id));
    const under = (each) => node.path.every((part, depth) => each.path[depth] === part) && (!node.run || inside.has(each.row));
    const nodes = node.parent ? model.graph.nodes.filter(under) : model.graph.nodes;
    const root = Modules.runTreeOf(model, nodes, node.path);
    const open = Graph.firstOpen(root);
    for (const id of toggled[place]) if (open.has(id)) open.delete(id); else open.add(id);
    open.add(root.id);
    return { nodes, root, open };
  }

  function draw(place, node, title, dimmed) {
    const model = models[place];
    const panel = at(`tree-${place}`);
    const chart = panel.querySelector(".chart");
    chart.classList.add("scroller");
    const { nodes, root, open } = graphOf(place, node);
    const problem = !nodes.length ? "no ops ran here" : !model.graph.complete && model.graph.nodes.every((each) => !each.sources.length)
      ? "this trace does not say who feeds whom: it was stored by an earlier version" : "";
    if (problem) {
      chart.replaceChildren(element("p", `There is no graph: ${problem}.`, { class: "hint" }));
      panel.querySelector(".buttons").replaceChildren();
      return null;
    }
    const options = {
      model, root, nodes, open, dimmed, of: figure, once: measure() === "params", selected: Pictures.selectedIn(place), node: chosenNode(place),
      label: `Graph of ${title}. Arrow keys follow the lines, Enter opens a module or shows an op, Escape closes.`,
      tip: (part) => Descriptions.describePart(place, part),
      activate: (part) => (part.op ? Going.selectNode(place, part) : toggle(place, node, part.id)),
      up: (part) => {
        const outer = Graph.around(root, part.nodes[0]).filter((id) => id !== root.id && open.has(id) && id !== (part.op ? "" : part.id)).at(-1);
        if (outer) toggle(place, node, outer); else if (zoomed[place].parent) Going.go(place, zoomed[place].parent, true);
      },
    };
    const scrolled = [chart.scrollLeft, chart.scrollTop];
    const drawn = Graph.draw(options);
    Graph.keys(drawn.svg, options);
    chart.replaceChildren(drawn.svg);
    scale(place, drawn.svg, chart);
    [chart.scrollLeft, chart.scrollTop] = scrolled;
    const button = (text, name, press) => {
      const made = element("button", text, { type: "button", "aria-label": name });
      made.addEventListener("click", press);
      return made;
    };
    const zoomBy = (factor) => { zoom[place] = (zoom[place] || scaleOf(drawn.svg, chart)) * factor; scale(place, drawn.svg, chart); Going.remember(false); };
    panel.querySelector(".buttons").replaceChildren(
      button("+", `Larger graph of ${model.name}`, () => zoomBy(1.25)), button("−", `Smaller graph of ${model.name}`, () => zoomBy(0.8)),
      button("Fit", `Fit the graph of ${model.name}`, () => { zoom[place] = 0; scale(place, drawn.svg, chart); Going.remember(false); }),
      button("Open all", `Open all modules of ${model.name}`, () => openAll(place, node)),
      button("Fold all", `Fold up all modules of ${model.name}`, () => setOpen(place, node, new Set([root.id]))),
      ...Pictures.exports(place, drawn.svg, "graph"),
    );
    return drawn;
  }

  const scaleOf = (svg, chart) => Math.max(Math.min(1, (chart.clientWidth - 4) / svg.viewBox.baseVal.width), 0.3);

  function scale(place, svg, chart) {
    const factor = zoom[place] ? Math.min(Math.max(zoom[place], 0.1), 4) : scaleOf(svg, chart);
    svg.setAttribute("width", svg.viewBox.baseVal.width * factor);
    svg.setAttribute("height", svg.viewBox.baseVal.height * factor);
  }

  function setOpen(place, node, open) {
    const { root } = graphOf(place, node);
    const start = Graph.firstOpen(root);
    toggled[place] = new Set([...start, ...open].filter((id) => start.has(id) !== open.has(id)));
    Pictures.showPicture(place);
    Going.remember(true);
  }

  function openAll(place, node) {
    const { root, nodes } = graphOf(place, node);
    const open = new Set(Graph.idsOf(root));
    if (Graph.isTooMuch(models[place], root, nodes, open)) {
      Going.say(`The ${written(nodes.length)} ops are more than can be laid out at once: open modules one by one, or zoom in to one first.`);
    } else setOpen(place, node, open);
  }

  function toggle(place, node, id) {
    const { root, nodes, open } = graphOf(place, node);
    const opening = !open.has(id);
    if (opening) open.add(id); else open.delete(id);
    if (opening && Graph.isTooMuch(models[place], root, nodes, open)) {
      Going.say("That is more than can be laid out at once: close other modules first, or zoom in to this one.");
      return;
    }
    setOpen(place, node, open);
    const block = at(`tree-${place}`).querySelector(`[data-block="${CSS.escape(id)}"]`);
    if (block) { block.focus({ preventScroll: true }); block.scrollIntoView({ block: "nearest", inline: "nearest" }); }
    Going.say(`${block ? block.getAttribute("aria-label").split("; ")[0] : ""} ${opening ? "opened" : "closed"}.`);
  }

  /* Opens what an op is folded up in. */
  function reveal(place, node) {
    const { root, open } = graphOf(place, zoomed[place]);
    const hidden = Graph.around(root, node).filter((id) => !open.has(id));
    if (hidden.length) setOpen(place, zoomed[place], new Set([...open, ...hidden]));
  }

  return { draw, reveal };
})();
