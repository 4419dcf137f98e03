"use strict";
/* Going about: into a module and out, to a block, to its row and back; what the address says of it. */
const Going = (() => {
  const { models, conventions, written } = Figures;
  const {
    at, trees, zoomed, toggled, selection, state, chosen, convention, measure, measured, view, first, second,
    shownModels, common, whole, least, terms, matching, chosenNode, GRAPH,
  } = Choices;

  function say(text) { at("said").textContent = text; at("told").textContent = text; }

  function go(place, node, step) {
    const from = at(`tree-${place}`);
    const inPicture = from && from.querySelector(".chart").contains(document.activeElement);
    zoomed[place] = node;
    toggled[place] = new Set();
    if (common()) shownModels().forEach(Pictures.showPicture); else Pictures.showPicture(place);
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
    selection.place = place;
    selection.row = row;
    shownModels().forEach(Pictures.showPicture);
    Details.show();
    at("told").textContent = "";
    at("said").textContent = `chosen: ${at("details").querySelector("h3")?.textContent ?? ""}`;
    if (place === first()) Layers.choose(row);
    remember(false);
  }

  function selectNode(place, part) {
    selection.node = part.op;
    select(place, part.op.row < 0 ? null : part.op.row);
  }

  function goToRow(row) {
    if (selection.place !== first()) {
      if (at("other").value === at("model").value || second() === selection.place) at("other").value = String(first());
      at("model").value = String(selection.place);
      const place = selection.place;
      showAll();
      selection.place = place;
    }
    if (terms().length && !matching(models[first()].rows[row])) at("search").value = "";
    if (!zoomed[first()].rows.some((each) => each.id === row)) go(first(), trees[first()], false);
    filter();
    at("layers-heading").scrollIntoView({ block: "start" });
    // Once the rows of another model are there.
    setTimeout(() => { Layers.choose(row); setTimeout(() => Layers.focus(row), 60); }, 60);
  }

  function goToPicture(row) {
    if (!zoomed[selection.place].rows.some((each) => each.id === row)) go(selection.place, trees[selection.place], false);
    const node = chosenNode(selection.place) || models[selection.place].graph.nodes.find((each) => each.row === row);
    if (view() === GRAPH && node) GraphView.reveal(selection.place, node);
    select(selection.place, row);
    const panel = at(`tree-${selection.place}`);
    panel.scrollIntoView({ block: "nearest" });
    // There the figures of a layer that its row has no room for are below the pictures.
    if (Layers.isNarrow()) { at("details").scrollIntoView({ block: "start" }); Details.focus(); return; }
    const block = panel.querySelector(".chosen")?.closest("[data-block]");
    if (!block) { say(`${models[selection.place].rows[row].name} has no area: it has no ${measured()}`); return; }
    block.focus({ preventScroll: true });
    block.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  const events = {
    chose: (row) => { selection.place = first(); goToPicture(row); },
    shown: (count) => said(count),
    sorted: ([sorter]) => {
      state.sorted = sorter ? `${sorter.field}.${sorter.dir}` : "";
      if (sorter && !state.restoring) at("said").textContent = `sorted by ${at(`by-${sorter.field}`).textContent}, ${sorter.dir === "asc" ? "ascending" : "descending"}`;
      remember(false);
    },
    ready: () => {
      at("layers").setAttribute("aria-label", `Layers of ${models[first()].name}`);
      at("layers").setAttribute("aria-rowcount", models[first()].rows.length + 1);
      // First, because a filter tells of the order as well.
      if (state.sorted) Layers.sort(...state.sorted.split("."));
      filter();
      if (selection.row !== null && selection.place === first()) Layers.choose(selection.row);
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

  function showAll() {
    Sums.showTotals();
    Sums.showComparison();
    Pictures.showPictures();
    Details.show();
    at("layers-of").textContent = models[first()].name;
    Layers.show(models[first()], chosen(), convention().heading, events);
    const model = models[first()];
    at("said").textContent = `${model.name}: ${least(model)}${written(whole(first()))} ${measured()}`;
  }

  /* ---- the address ---- */

  const START = { model: at("model").value, other: at("other")?.value, convention: at("convention").value, measure: at("measure").value, view: at("view").value, scale: at("scale").value, grouping: at("grouping").value };

  function remember(step) {
    if (state.restoring) return;
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
      sort: state.sorted,
      row: selection.row === null ? "" : `${selection.place === first() ? "" : "2."}${selection.row + 1}`,
    }, step);
  }

  function restore() {
    state.restoring = true;
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
    state.sorted = hash.get("sort") || "";
    const [, side, row] = /^(2\.)?(\d+)$/.exec(hash.get("row") || "") || [];
    selection.place = side && two !== undefined ? two : one;
    selection.row = row && models[selection.place].rows[row - 1] ? row - 1 : null;
    showAll();
    state.restoring = false;
  }

  return { say, go, select, selectNode, goToRow, goToPicture, filter, showAll, remember, restore };
})();
