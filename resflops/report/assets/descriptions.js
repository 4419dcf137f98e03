"use strict";
/* What is said of a block, in a tooltip and to a screen reader, and of an op that was chosen. */
const Descriptions = (() => {
  const { models, sum, written, share } = Figures;
  const { chosen, convention, measure, measured, figure, whole, least } = Choices;

  const costOf = (model, cost) => `${least(model)}${written(cost)} ${measured()}${whole(model.place) ? `, ${share(cost, whole(model.place)) || "0 %"} of ${model.name}` : ""}`;

  function describe(place, part) {
    const model = models[place];
    const cost = sum(part.rows, figure);
    const said = costOf(model, cost);
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
    const said = costOf(model, cost);
    if (part.op) {
      const row = model.rows[part.op.row];
      if (row) return describeRow(model, row, said);
      return [part.path.join(".") || model.name, part.op.label, said, `${part.op.inputs} → ${part.op.outputs}`];
    }
    return [part.path.join(".") || model.name, [part.cls, `${written(part.nodes.length)} ops`].filter(Boolean).join(", "), said];
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

  return { describe, describePart, factsOf, nodeFacts };
})();
