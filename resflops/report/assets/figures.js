"use strict";
/* The models as the page got them, and how figures are written. Every figure is a BigInt, so that what is shown
   is exact whatever its size; every name goes in as text and never as markup. */
const Figures = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);

  /* A text in one line, without the signs that would turn it round or hide it. */
  const clean = (text) => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
  const textAt = (place) => clean(data.texts[place]);

  const TEXTS = ["name", "op", "stage", "input", "output", "window", "field", "label"];
  const COUNTS = ["params", "buffers", "activations"];
  const NODE_TEXTS = ["layer", "op", "label", "inputs", "outputs", "attributes", "dtype"];

  const named = (columns, cells) => Object.fromEntries(columns.map((column, place) => [column, cells[place]]));

  function readRow(cells, id) {
    const row = { ...named(data.columns, cells), id };
    for (const key of TEXTS) row[key] = textAt(row[key]);
    for (const key of COUNTS) row[key] = BigInt(row[key]);
    row.totals = row.totals.map(BigInt);
    row.formulas = row.formulas.map(textAt);
    row.path = row.name === "" ? [] : row.name.split(".");
    return row;
  }

  function readNode(cells, id) {
    const node = { ...named(data.nodeColumns, cells), id };
    for (const key of NODE_TEXTS) node[key] = textAt(node[key]);
    node.path = node.layer === "" ? [] : node.layer.split(".");
    return node;
  }

  function readModel(model, place) {
    return {
      ...model,
      place,
      name: clean(model.name),
      input: clean(model.input),
      uncounted: clean(model.uncounted),
      notes: model.notes.map(clean),
      classes: new Map(model.classes.map(([path, cls]) => [textAt(path), textAt(cls)])),
      rows: model.rows.map(readRow),
      graph: { ...model.graph, nodes: model.graph.nodes.map(readNode) },
    };
  }

  const sum = (rows, of) => rows.reduce((total, row) => total + of(row), 0n);
  const written = (count) => count.toLocaleString("en-US");

  /* A quotient of BigInts, exact to six digits however large they are. */
  const quotient = (over, under) => (under === 0n ? NaN : Number((over * 1000000n) / under) / 1000000);

  function times(over, under) {
    if (under === 0n || over === 0n) return "";
    const ratio = quotient(over, under);
    return ratio < 0.005 ? "<0.01×" : `${ratio.toFixed(2)}×`;
  }

  function share(part, whole) {
    if (whole === 0n) return "";
    const percent = quotient(part, whole) * 100;
    return part > 0n && percent < 0.05 ? "<0.1 %" : `${percent.toFixed(1)} %`;
  }

  function rounded(count) {
    const digits = count.toString();
    if (digits.length < 4) return digits;
    const [mantissa, exponent] = Number(count).toExponential(2).split("e");
    const thousands = Math.floor(exponent / 3);
    const names = ["", "k", "M", "G", "T", "P", "E", "Z"];
    if (thousands >= names.length) return Number(count).toExponential(2);
    return `${(mantissa * 10 ** (exponent % 3)).toFixed(2 - (exponent % 3))} ${names[thousands]}`;
  }

  return {
    conventions: data.conventions,
    kinds: data.kinds,
    models: data.models.map(readModel),
    sum, written, quotient, times, share, rounded,
  };
})();
