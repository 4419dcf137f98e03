"use strict";
/* What the reader has chosen: by the controls, in the pictures and in the table. */
const Choices = (() => {
  const { models, conventions, sum } = Figures;
  const at = (id) => document.getElementById(id);
  const MEASURES = { params: "parameters", activations: "activations, elements" };
  const COMMON = "common", GRAPH = "graph";

  const trees = models.map((model) => Modules.treeOf(model));
  /* For each model the module that the reader looks into. */
  const zoomed = [...trees];
  /* For each model the runs of its graph that are not as they are at first, and the size of the graph; 0 fits it in. */
  const toggled = models.map(() => new Set());
  const zoom = models.map(() => 0);
  /* The row that is chosen, of which model, and which of its ops. */
  const selection = { place: 0, row: null, node: null };
  const state = { sorted: "", restoring: false };

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
  const textOf = (row) => [row.name, row.op, row.label, row.stage, row.input, row.output, row.window, row.formulas[chosen()]].join(" ").toLowerCase();

  /* The op that is chosen, if it is one of the chosen row. */
  function chosenNode(place) {
    const { node, row } = selection;
    if (place !== selection.place || !node || models[place].graph.nodes[node.id] !== node) return null;
    return node.row === (row ?? -1) ? node : null;
  }

  function matching(row) {
    const text = textOf(row);
    return terms().every((term) => text.includes(term));
  }

  return {
    at, trees, zoomed, toggled, zoom, selection, state, chosen, convention, measure, measured, view, first, second,
    shownModels, common, figure, whole, least, terms, matching, chosenNode, GRAPH,
  };
})();
