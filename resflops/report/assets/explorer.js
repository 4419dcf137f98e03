"use strict";
/* The page about costs: what is chosen, and what of it each part shows. */
(() => {
  const { models, conventions, sum, written, times, share, rounded } = Figures;
  const { element } = Drawing;
  const at = (id) => document.getElementById(id);
  const LISTED = 24;
  const NO_SIZE = "no feature map";
  const MEASURES = { params: "parameters", activations: "activations, elements" };
  const COMMON = "common", GRAPH = "graph";

  const trees = models.map((model) => Modules.treeOf(model));
  const zoomed = [...trees];
  /* For each model the runs of its graph that are not as they are at first. */
  const toggled = models.map(() => new Set());
  const zoom = models.map(() => 0);
  let chosenRow = null;
  let chosenModule = null;
  let chosenPlace = 0;
  let sorted = "";
  let restoring = false;

  /* ---- what is chosen ---- */

  const chosen = () => Number(at("convention").value);
  const convention = () => conventions[chosen()];
  const measure = () => at("measure").value;
  const measured = () => MEASURES[measure()] || convention().heading;
  const view = () => at("view").value;
  const first = () => Number(at("model").value);
  const second = () => {
    const other = at("other");
    return other && other.value !== "" && Number(other.value) !== first() ? Number(other.value) : null;
  };
  const shownModels = () => [first(), ...(second() === null ? [] : [second()])];
  const common = () => second() !== null && at("scale").value === COMMON;
  const figure = (row) => (measure() === "total" ? row.totals[chosen()] : row[measure()]);
  /* Asked for with every block, so added up once. */
  const wholes = new Map();
  function whole(place) {
    const key = `${place} ${measure()} ${chosen()}`;
    if (!wholes.has(key)) wholes.set(key, sum(models[place].rows, figure));
    return wholes.get(key);
  }
  const least = (model) => (model.uncounted && measure() === "total" ? "≥ " : "");
  const terms = () => at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const textOf = (row) => [row.name, row.op, row.label, row.stage, row.input, row.output, row.window, ...row.formulas.slice(chosen(), chosen() + 1)].join(" ").toLowerCase();

  /* ---- tables of a few rows ---- */

  function fill(place, caption, heads, rows, foot) {
    const head = element("thead");
    const line = head.appendChild(element("tr"));
    for (const text of heads) line.append(element("th", text, { scope: "col" }));
    const body = element("tbody");
    for (const cells of rows) body.append(lineOf(cells, heads));
    const parts = [element("caption", caption, { class: "hint" }), head, body];
    if (foot) {
      const footer = element("tfoot");
      footer.append(lineOf(foot, heads));
      parts.push(footer);
    }
    at(place).replaceChildren(...parts);
  }

  /* Each cell with its heading, which stands beside it where the screen is narrow. */
  function lineOf(cells, heads) {
    const line = element("tr");
    cells.forEach((text, place) => line.append(place ? element("td", text, { "data-head": heads[place] }) : element("th", text, { scope: "row" })));
    return line;
  }

  const against = (shown) => (shown.length > 1 ? [`${shown[1].name} ÷ ${shown[0].name}`] : []);

  function showTotals() {
    const shown = shownModels().map((place) => models[place]);
    const quantities = [
      [convention().heading, (row) => row.totals[chosen()]],
      ["parameters", (row) => row.params],
      ["buffer elements", (row) => row.buffers],
      ["activations, elements", (row) => row.activations],
    ];
    const rows = quantities.map(([name, of], place) => {
      const sums = shown.map((model) => sum(model.rows, of));
      const texts = sums.map((count, n) => (place === 0 && shown[n].uncounted ? "≥ " : "") + written(count));
      return [name, ...texts, ...(sums.length > 1 ? [times(sums[1], sums[0])] : [])];
    });
    const caption = `${shown.length > 1 ? "Inputs" : "Input"}: ${shown.map((model) => (shown.length > 1 ? `${model.name} ${model.input}` : model.input)).join("; ")}`;
    fill("totals", caption, ["quantity", ...shown.map((model) => model.name), ...against(shown)], rows);
    const lacking = shown.filter((model) => model.uncounted).map((model) => `${model.name} is incomplete (≥): no rule for ${model.uncounted}.`);
    at("warnings").textContent = lacking.join(" ");
    const notes = new Map();
    for (const model of shown) for (const note of model.notes) notes.set(note, [...(notes.get(note) || []), model.name]);
    at("notes").textContent = [...notes].map(([note, names]) => `${names.join(", ")}: ${note}.`).join(" ");
    at("counts").textContent = `${convention().name} counts ${convention().counts}.`;
  }

  const GROUPS = {
    size: (row) => { const sizes = row.output.split("×"); return sizes.length === 4 ? sizes.slice(2).join("×") : NO_SIZE; },
    stage: (row) => row.stage || "(in no stage)",
    module: (row) => row.path[0] || "(the model itself)",
    op: (row) => row.op || "(never called)",
    kind: (row) => Figures.kinds[row.kind],
  };

  function showComparison() {
    const shown = shownModels().map((place) => models[place]);
    const group = GROUPS[at("grouping").value];
    const sums = new Map();
    shown.forEach((model, side) => {
      for (const row of model.rows) {
        if (!row.calls && !figure(row)) continue;
        const name = group(row);
        if (!sums.has(name)) sums.set(name, shown.map(() => 0n));
        sums.get(name)[side] += figure(row);
      }
    });
    const wholes = shown.map((model) => sum(model.rows, figure));
    let names = [...sums.keys()].filter((name) => sums.get(name).some(Boolean));
    if (at("grouping").value === "size") {
      const area = (name) => (name === NO_SIZE ? 0 : name.split("×").reduce((product, size) => product * Number(size), 1));
      names = names.sort((one, two) => area(two) - area(one));
    }
    const line = (name, counts) => [
      name, ...counts.flatMap((count, side) => [written(count), share(count, wholes[side])]),
      ...(counts.length > 1 ? [times(counts[1], counts[0])] : []),
    ];
    at("comparison-heading").textContent = shown.length > 1 ? "Side by side" : "Part by part";
    fill(
      "compared", shown.length > 1 ? `${measured()} of both` : measured(),
      [at("grouping").selectedOptions[0].textContent, ...shown.flatMap((model) => [model.name, "share"]), ...against(shown)],
      names.map((name) => line(name, sums.get(name))), line("all", wholes),
    );
  }

  /* ---- what a block says ---- */

  function describe(place, part) {
    const model = models[place];
    const cost = sum(part.rows, figure);
    const said = `${least(model)}${written(cost)} ${measured()}${whole(place) ? `, ${share(cost, whole(place)) || "0 %"} of ${model.name}` : ""}`;
    if (part.row) return describeRow(model, part.row, said);
    return [
      Modules.placeOf(part, model), [part.cls, `${written(part.rows.length)} rows of the table`].filter(Boolean).join(", "), said,
      `${written(sum(part.rows, (row) => row.params))} parameters`,
    ];
  }

  function describeRow(model, row, said) {
    return [
      row.name || model.name,
      [row.label || row.op || "(never called)", row.calls > 1 ? `${row.calls} calls` : ""].filter(Boolean).join(", "),
      said,
      row.output ? `${row.input} → ${row.output}` : "",
      `${written(row.params)} parameters`,
      row.formulas[chosen()],
    ];
  }

  function describePart(place, part) {
    const model = models[place];
    const cost = Graph.costOf(model, part.nodes, figure, measure() === "params");
    const said = `${least(model)}${written(cost)} ${measured()}${whole(place) ? `, ${share(cost, whole(place)) || "0 %"} of ${model.name}` : ""}`;
    if (part.op) {
      const row = model.rows[part.op.row];
      if (row) return describeRow(model, row, said);
      return [part.path.join(".") || model.name, part.op.label, said, `${part.op.inputs} → ${part.op.outputs}`];
    }
    return [part.path.join(".") || model.name, [part.cls, `${written(part.nodes.length)} ops`].filter(Boolean).join(", "), said];
  }

  /* ---- pictures ---- */

  function showPictures() {
    const wanted = shownModels();
    at("scale-label").hidden = second() === null || view() === GRAPH;
    for (const panel of [...at("trees").children]) {
      if (!wanted.includes(Number(panel.dataset.model))) panel.remove();
    }
    for (const place of wanted) at("trees").append(at(`tree-${place}`) || panelOf(place));
    at("picture-hint").textContent = view() === GRAPH
      ? "The boxes are ops and folded modules, joined by who feeds whom; blue lines are shortcuts. Click a folded module (▸) to open it and its title (▾) to close it, an op for its attributes."
      : `The areas are modules, in the order in which they run${common() ? ", in one scale for both models" : ""}. Click a module to look inside, an op for its figures.`;
    wanted.forEach(showPicture);
  }

  function panelOf(place) {
    const panel = element("div", undefined, { class: "tree", id: `tree-${place}`, "data-model": place });
    panel.append(
      element("h3"), element("div", undefined, { class: "bar" }),
      element("div", undefined, { class: "chart" }),
      element("div", undefined, { class: "keys" }),
      element("ul", undefined, { class: "inside", "aria-label": "Modules in here" }),
    );
    panel.querySelector(".bar").append(
      element("ol", undefined, { class: "path", "aria-label": `Path in ${models[place].name}` }),
      element("div", undefined, { class: "buttons" }),
    );
    return panel;
  }

  function showPicture(place) {
    const model = models[place];
    const node = zoomed[place];
    const panel = at(`tree-${place}`);
    const mine = sum(node.rows, figure);
    const here = node.parent ? `${model.name}: ${Modules.placeOf(node, model)}` : model.name;
    const title = `${here}: ${least(model)}${rounded(mine)} ${measured()}, ${share(mine, whole(place)) || "0 %"} of the model`;
    panel.querySelector("h3").textContent = title;
    showPath(panel.querySelector(".path"), place, node);
    const focused = panel.querySelector(".chart").contains(document.activeElement) ? document.activeElement.dataset.block : null;
    const matches = terms().length && place === first() ? new Set(model.rows.filter(matching).map((row) => row.id)) : null;
    const drawn = (view() === GRAPH ? drawGraph : drawTree)(place, node, title, matches);
    panel.querySelector(".keys").replaceChildren(...(drawn ? [Drawing.legend(drawn.kinds)] : []));
    if (focused !== null && drawn) {
      const again = drawn.svg.querySelector(`[data-block="${CSS.escape(focused)}"]`) || drawn.svg.querySelector("[data-block]");
      if (again) again.focus({ preventScroll: true });
    }
    showInside(panel.querySelector(".inside"), place, node, mine);
  }

  const selectedIn = (place) => (place === chosenPlace ? chosenRow : null);

  function drawTree(place, node, title, dimmed) {
    const panel = at(`tree-${place}`);
    const chart = panel.querySelector(".chart");
    chart.classList.remove("scroller");
    const width = Math.max(Math.floor(chart.clientWidth || 600), 240);
    const height = Math.round(Math.min(Math.max(width * 0.62, 300), 520));
    const largest = common() ? shownModels().map((each) => sum(zoomed[each].rows, figure)).reduce((one, two) => (one > two ? one : two)) : 0n;
    const side = largest ? Math.sqrt(Figures.quotient(sum(node.rows, figure), largest)) : 1;
    const blocks = Modules.blocksOf(node, (part) => sum(part.rows, figure));
    const spoken = [...blocks].sort((one, two) => (sum(one.rows, figure) < sum(two.rows, figure) ? 1 : -1)).slice(0, 8)
      .map((part) => `${Modules.labelOf(part)} ${share(sum(part.rows, figure), sum(node.rows, figure))}`).join(", ");
    const options = {
      node, of: figure, box: { width, height }, side, dimmed, selected: selectedIn(place),
      label: `Treemap of ${title}. Largest: ${spoken}. Arrow keys go from block to block, Enter opens, Escape goes up.`,
      tip: (part) => describe(place, part),
      activate: (part) => (part.row ? select(place, part.row.id) : go(place, part, true)),
      up: () => go(place, zoomed[place].parent || trees[place], true),
    };
    const drawn = Treemap.draw(options);
    Treemap.keys(drawn.svg, options);
    chart.replaceChildren(drawn.svg);
    panel.querySelector(".buttons").replaceChildren(...exports(place, drawn.svg, "treemap"));
    return drawn;
  }

  /* ---- the graph ---- */

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

  function drawGraph(place, node, title, dimmed) {
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
      model, root, nodes, open, dimmed, of: figure, once: measure() === "params", selected: selectedIn(place),
      label: `Graph of ${title}. Arrow keys follow the lines, Enter opens a module or shows an op, Escape closes.`,
      tip: (part) => describePart(place, part),
      activate: (part) => (part.op ? selectNode(place, part) : toggle(place, node, part.id)),
      up: (part) => {
        const outer = Graph.around(root, part.nodes[0]).filter((id) => id !== root.id && open.has(id) && id !== (part.op ? "" : part.id)).at(-1);
        if (outer) toggle(place, node, outer); else if (zoomed[place].parent) go(place, zoomed[place].parent, true);
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
    const zoomBy = (factor) => { zoom[place] = (zoom[place] || scaleOf(drawn.svg, chart)) * factor; scale(place, drawn.svg, chart); remember(false); };
    panel.querySelector(".buttons").replaceChildren(
      button("+", `Larger graph of ${model.name}`, () => zoomBy(1.25)), button("−", `Smaller graph of ${model.name}`, () => zoomBy(0.8)),
      button("Fit", `Fit the graph of ${model.name}`, () => { zoom[place] = 0; scale(place, drawn.svg, chart); remember(false); }),
      button("Open all", `Open all modules of ${model.name}`, () => openAll(place, node)),
      button("Fold all", `Fold up all modules of ${model.name}`, () => setOpen(place, node, new Set([root.id]))),
      ...exports(place, drawn.svg, "graph"),
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
    showPicture(place);
    remember(true);
  }

  function openAll(place, node) {
    const { root, nodes } = graphOf(place, node);
    const open = new Set(Graph.idsOf(root));
    if (Graph.isTooMuch(models[place], root, nodes, open)) {
      say(`The ${written(nodes.length)} ops are more than can be laid out at once: open modules one by one, or zoom in to one first.`);
    } else setOpen(place, node, open);
  }

  function toggle(place, node, id) {
    const { root, nodes, open } = graphOf(place, node);
    const opening = !open.has(id);
    if (opening) open.add(id); else open.delete(id);
    if (opening && Graph.isTooMuch(models[place], root, nodes, open)) {
      say("That is more than can be laid out at once: close other modules first, or zoom in to this one.");
      return;
    }
    setOpen(place, node, open);
    const block = at(`tree-${place}`).querySelector(`[data-block="${CSS.escape(id)}"]`);
    if (block) { block.focus({ preventScroll: true }); block.scrollIntoView({ block: "nearest", inline: "nearest" }); }
    say(`${block ? block.getAttribute("aria-label").split("; ")[0] : ""} ${opening ? "opened" : "closed"}.`);
  }

  /* Opens what an op is folded up in. */
  function reveal(place, row) {
    const { root, open } = graphOf(place, zoomed[place]);
    const node = models[place].graph.nodes.find((each) => each.row === row);
    if (!node) return;
    const hidden = Graph.around(root, node).filter((id) => !open.has(id));
    if (hidden.length) setOpen(place, zoomed[place], new Set([...open, ...hidden]));
  }

  function exports(place, svg, kind) {
    const name = `${models[place].name.replace(/[^\w.-]+/g, "_").slice(0, 60)}-${kind}`;
    const made = [["SVG", () => Drawing.saveSvg(svg, name)], ["PNG", () => Drawing.savePng(svg, name).catch(() => say("the picture is too large for a PNG; save it as SVG"))]];
    return made.map(([text, press]) => {
      const button = element("button", `Save ${text}`, { type: "button", "aria-label": `Save the ${kind} of ${models[place].name} as ${text}` });
      button.addEventListener("click", press);
      return button;
    });
  }

  /* ---- below the picture ---- */

  function showInside(list, place, node, mine) {
    const parts = Modules.blocksOf(node, (part) => sum(part.rows, figure)).filter((part) => !part.row)
      .map((part) => ({ part, exact: sum(part.rows, figure) }));
    list.replaceChildren(
      ...parts.slice(0, LISTED).map(({ part, exact }) => {
        const button = element("button", `${part.run || /^\d+$/.test(part.key) ? Modules.labelOf(part) : part.key} · ${rounded(exact)} · ${share(exact, mine) || "0 %"}`, { type: "button" });
        button.addEventListener("click", () => go(place, part, true));
        const item = element("li");
        item.append(button);
        return item;
      }),
      ...(parts.length > LISTED ? [element("li", `and ${written(parts.length - LISTED)} more`)] : []),
    );
  }

  function showPath(list, place, node) {
    const steps = [];
    for (let step = node; step; step = step.parent) steps.unshift(step);
    list.replaceChildren(
      ...steps.map((step) => {
        const item = element("li");
        const button = element("button", step.parent ? step.run ? step.name : step.key : `⌂ ${models[place].name}`, { type: "button" });
        if (step === node) button.setAttribute("aria-current", "location");
        button.addEventListener("click", () => go(place, step, true));
        item.append(button);
        return item;
      }),
    );
  }

  /* ---- going about ---- */

  function say(text) { at("said").textContent = text; at("told").textContent = text; }

  function go(place, node, step) {
    const from = at(`tree-${place}`);
    const inPicture = from && from.querySelector(".chart").contains(document.activeElement);
    zoomed[place] = node;
    toggled[place] = new Set();
    if (common()) shownModels().forEach(showPicture); else showPicture(place);
    if (place === first()) filter();
    at("said").textContent = at(`tree-${place}`).querySelector("h3").textContent;
    at("told").textContent = "";
    if (inPicture) {
      const block = at(`tree-${place}`).querySelector(".chart [data-block]");
      if (block) block.focus({ preventScroll: true });
    } else if (!document.activeElement || document.activeElement === document.body) {
      // The button that was pressed is gone; the keyboard goes on where the reader is now.
      at(`tree-${place}`).querySelector("[aria-current]").focus();
    }
    remember(step);
  }

  function select(place, row) {
    chosenPlace = place;
    chosenRow = row;
    chosenModule = null;
    shownModels().forEach(showPicture);
    showDetails();
    at("told").textContent = "";
    if (place === first()) Layers.choose(row);
    remember(false);
  }

  let shownNode = null;

  function selectNode(place, part) {
    shownNode = part.op;
    select(place, part.op.row < 0 ? null : part.op.row);
  }

  function showDetails() {
    const box = at("details");
    const model = models[chosenPlace];
    const row = chosenRow === null ? null : model.rows[chosenRow];
    const nodes = row ? model.graph.nodes.filter((each) => each.row === row.id) : [];
    const node = shownNode && (row ? shownNode.row === row.id : true) && model.graph.nodes[shownNode.id] === shownNode ? shownNode : nodes[0];
    if (!row && !node) {
      box.replaceChildren(element("p", "Choose an op in the picture, or a layer in the table: its shapes, attributes and formula appear here.", { class: "hint" }));
      return;
    }
    const list = element("dl");
    const facts = row ? factsOf(model, row, node) : nodeFacts(node);
    for (const [name, value] of facts) if (value) list.append(element("dt", name), element("dd", value));
    const feeds = node ? model.graph.nodes.filter((each) => each.sources.includes(node.id)) : [];
    const links = [["fed by", node ? node.sources : []], ["feeds", feeds.map((each) => each.id)]];
    for (const [name, ids] of links) {
      if (!ids.length) continue;
      const value = element("dd");
      ids.slice(0, 12).forEach((id) => value.append(id < 0 ? element("span", "the input ") : linkTo(chosenPlace, model.graph.nodes[id])));
      if (ids.length > 12) value.append(element("span", `and ${ids.length - 12} more`));
      list.append(element("dt", name), value);
    }
    box.replaceChildren(element("h3", `${row ? row.name || model.name : node.layer || model.name}`), list, ...(row ? buttonsOf(row) : []));
  }

  function linkTo(place, node) {
    const button = element("button", node.layer ? `${node.layer} (${node.op})` : node.op, { type: "button", class: "link" });
    button.addEventListener("click", () => {
      shownNode = node;
      if (node.row >= 0 && !zoomed[place].rows.some((row) => row.id === node.row)) go(place, trees[place], false);
      if (view() === GRAPH) reveal(place, node.row);
      select(place, node.row < 0 ? null : node.row);
      show("details", "h3");
    });
    return button;
  }

  function show(id, what) {
    const target = at(id).querySelector(what);
    if (!target) return;
    target.setAttribute("tabindex", "-1");
    target.focus();
  }

  function factsOf(model, row, node) {
    return [
      ["model", models.length > 1 ? model.name : ""],
      ["op", [row.op || "(never called)", row.label === row.op ? "" : row.label].filter(Boolean).join(": ")],
      ["class", model.classes.get(row.name)],
      [convention().heading, `${row.counted ? "" : "≥ "}${written(row.totals[chosen()])}, ${share(row.totals[chosen()], sum(model.rows, (each) => each.totals[chosen()])) || "0 %"} of ${model.name}`],
      ["formula", row.formulas[chosen()]],
      ["parameters", written(row.params)],
      ["activations", written(row.activations)],
      ["input", node ? node.inputs : row.input],
      ["output", node ? node.outputs : row.output],
      ["calls", row.calls > 1 ? written(row.calls) : ""],
      ["attributes", node ? node.attributes : row.window],
      ["type", node ? node.dtype : ""],
      ["receptive field", row.field],
      ["stage", row.stage],
    ];
  }

  function nodeFacts(node) {
    return [["op", node.op], ["input", node.inputs], ["output", node.outputs], ["attributes", node.attributes], ["type", node.dtype], ["cost", "none: it only moves data"]];
  }

  function buttonsOf(row) {
    const line = element("p", undefined, { class: "buttons" });
    const toRow = element("button", `Row ${row.id + 1} of the table ↓`, { type: "button", id: "to-row" });
    toRow.addEventListener("click", () => goToRow(row.id));
    const toPicture = element("button", "Show in the picture ↑", { type: "button", id: "to-picture" });
    toPicture.addEventListener("click", () => goToPicture(row.id));
    line.append(toRow, toPicture);
    return [line];
  }

  function goToRow(row) {
    if (chosenPlace !== first()) {
      if (at("other").value === at("model").value || second() === chosenPlace) at("other").value = String(first());
      at("model").value = String(chosenPlace);
      const place = chosenPlace;
      showAll();
      chosenPlace = place;
    }
    if (terms().length && !matching(models[first()].rows[row])) at("search").value = "";
    if (!zoomed[first()].rows.some((each) => each.id === row)) go(first(), trees[first()], false);
    filter();
    at("layers-heading").scrollIntoView({ block: "start" });
    // Once the rows of another model are there.
    setTimeout(() => { Layers.choose(row); setTimeout(() => Layers.focus(row), 60); }, 60);
  }

  function goToPicture(row) {
    if (!zoomed[chosenPlace].rows.some((each) => each.id === row)) go(chosenPlace, trees[chosenPlace], false);
    if (view() === GRAPH) reveal(chosenPlace, row);
    select(chosenPlace, row);
    const panel = at(`tree-${chosenPlace}`);
    panel.scrollIntoView({ block: "nearest" });
    // There the figures of a layer that its row has no room for are below the pictures.
    if (Layers.isNarrow()) { at("details").scrollIntoView({ block: "start" }); show("details", "h3"); return; }
    const block = panel.querySelector(".chosen")?.closest("[data-block]");
    if (!block) { say(`${models[chosenPlace].rows[row].name} has no area: it has no ${measured()}`); return; }
    block.focus({ preventScroll: true });
    block.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /* ---- the table ---- */

  function matching(row) {
    const text = textOf(row);
    return terms().every((term) => text.includes(term));
  }

  const events = {
    chose: (row) => { chosenPlace = first(); goToPicture(row); },
    shown: (count) => said(count),
    sorted: ([sorter]) => {
      sorted = sorter ? `${sorter.field}.${sorter.dir}` : "";
      if (sorter && !restoring) at("said").textContent = `sorted by ${at(`by-${sorter.field}`).textContent}, ${sorter.dir === "asc" ? "ascending" : "descending"}`;
      remember(false);
    },
    ready: () => {
      at("layers").setAttribute("aria-label", `Layers of ${models[first()].name}`);
      at("layers").setAttribute("aria-rowcount", models[first()].rows.length + 1);
      // First, because a filter tells of the order as well.
      if (sorted) Layers.sort(...sorted.split("."));
      filter();
      if (chosenRow !== null && chosenPlace === first()) Layers.choose(chosenRow);
    },
  };

  function filter() {
    const inside = new Set(zoomed[first()].rows.map((row) => row.id));
    const rows = models[first()].rows;
    Layers.filter((id) => inside.has(id) && matching(rows[id]));
  }

  /* How many rows there are, and of those outside the module, the way to them. */
  function said(shown) {
    const place = first();
    const model = models[place];
    const node = zoomed[place];
    const here = node.parent ? ` in ${Modules.placeOf(node, model)}` : "";
    at("found").textContent = `${written(shown)} of ${written(model.rows.length)} rows${here}`;
    const elsewhere = terms().length && node.parent ? model.rows.filter(matching).length - shown : 0;
    at("elsewhere").hidden = elsewhere <= 0;
    at("elsewhere").textContent = `${written(elsewhere)} more in the rest of ${model.name}: search all of it`;
  }

  /* ---- together ---- */

  function showAll() {
    showTotals();
    showComparison();
    showPictures();
    showDetails();
    at("layers-of").textContent = models[first()].name;
    Layers.show(models[first()], chosen(), convention().heading, events);
    const model = models[first()];
    at("said").textContent = `${model.name}: ${least(model)}${written(whole(first()))} ${measured()}`;
  }

  const START = { model: at("model").value, other: at("other")?.value, convention: at("convention").value, measure: at("measure").value, view: at("view").value, scale: at("scale").value, grouping: at("grouping").value };

  function remember(step) {
    if (restoring) return;
    const unless = (id, value) => (at(id) && at(id).value !== START[id] ? value : "");
    const keys = (place) => Modules.keysOf(zoomed[place]).join(".");
    const [one, two] = shownModels();
    Address.write({
      model: unless("model", models[first()].name),
      with: at("other") ? unless("other", at("other").value === "" ? "nothing" : models[Number(at("other").value)].name) : "",
      convention: unless("convention", convention().name),
      areas: unless("measure", measure()),
      view: unless("view", view()),
      scale: unless("scale", at("scale").value),
      by: unless("grouping", at("grouping").value),
      zoom: keys(one),
      zoom2: two === undefined ? "" : keys(two),
      open: [...toggled[one]].join(" "),
      open2: two === undefined ? "" : [...toggled[two]].join(" "),
      search: at("search").value,
      sort: sorted,
      row: chosenRow === null ? "" : `${chosenPlace === first() ? "" : "2."}${chosenRow + 1}`,
    }, step);
  }

  function restore() {
    restoring = true;
    const hash = Address.read();
    const pick = (id, name, value) => { if (at(id)) at(id).value = hash.has(name) && value >= 0 ? String(value) : START[id]; };
    const byName = (name) => models.findIndex((model) => model.name === hash.get(name));
    pick("model", "model", byName("model"));
    pick("other", "with", byName("with"));
    if (hash.get("with") === "nothing" && at("other")) at("other").value = "";
    pick("convention", "convention", conventions.findIndex(({ name }) => name === hash.get("convention")));
    for (const [id, name] of [["measure", "areas"], ["view", "view"], ["scale", "scale"], ["grouping", "by"]]) {
      at(id).value = [...at(id).options].some((option) => option.value === hash.get(name)) ? hash.get(name) : START[id];
    }
    at("search").value = hash.get("search") || "";
    const [one, two] = shownModels();
    models.forEach((_, place) => { zoomed[place] = trees[place]; toggled[place] = new Set(); });
    for (const [place, suffix] of [[one, ""], [two, "2"]]) {
      if (place === undefined) continue;
      zoomed[place] = Modules.nodeAt(trees[place], (hash.get(`zoom${suffix}`) || "").split(".").filter(Boolean));
      toggled[place] = new Set((hash.get(`open${suffix}`) || "").split(" ").filter(Boolean));
    }
    sorted = hash.get("sort") || "";
    const [, side, row] = /^(2\.)?(\d+)$/.exec(hash.get("row") || "") || [];
    chosenPlace = side && two !== undefined ? two : one;
    chosenRow = row && models[chosenPlace].rows[row - 1] ? row - 1 : null;
    showAll();
    restoring = false;
  }

  function copy(text) {
    const fallback = () => {
      const area = document.body.appendChild(element("textarea", undefined, { class: "skip" }));
      area.value = text;
      area.select();
      document.execCommand("copy");
      area.remove();
      return Promise.resolve();
    };
    return navigator.clipboard ? navigator.clipboard.writeText(text).catch(fallback) : fallback();
  }

  let waiting = 0;
  at("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { filter(); showPicture(first()); remember(false); }, 120);
  });
  at("elsewhere").addEventListener("click", () => { go(first(), trees[first()], true); at("search").focus(); });
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("controls").addEventListener("change", (event) => {
    if (["model", "other"].includes(event.target.id)) { chosenRow = null; shownNode = null; }
    showAll();
    remember(true);
  });
  at("grouping").addEventListener("change", () => { showComparison(); remember(false); });
  at("copy-csv").addEventListener("click", () => copy(Layers.csv(models[first()], chosen())).then(() => say("copied the rows in view as CSV")));
  at("save-csv").addEventListener("click", () => {
    const name = models[first()].name.replace(/[^\w.-]+/g, "_").slice(0, 60);
    Drawing.save(new Blob([Layers.csv(models[first()], chosen())], { type: "text/csv" }), `${name}-layers.csv`);
  });
  at("copy-link").addEventListener("click", () => copy(location.href).then(() => say("copied the link to what is shown here")));
  // As a link it would put its target where the address says what is shown.
  document.querySelector("a.skip").addEventListener("click", (event) => { event.preventDefault(); at("layers-heading").focus(); });
  let resizing = 0;
  addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => shownModels().forEach(showPicture), 60); });
  addEventListener("popstate", restore);
  addEventListener("hashchange", restore);
  addEventListener("scroll", Drawing.hideTip, true);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showPictures);
  restore();
})();
