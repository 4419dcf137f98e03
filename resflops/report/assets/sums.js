"use strict";
/* The two tables above the pictures: totals, and sums of parts. */
const Sums = (() => {
  const { models, sum, written, times, share } = Figures;
  const { element } = Drawing;
  const { at, chosen, convention, measured, shownModels, figure } = Choices;
  const NO_SIZE = "no feature map";

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
    const [grouping] = at("grouping").selectedOptions;
    const group = GROUPS[grouping.value];
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
    if (grouping.value === "size") {
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
      [grouping.dataset.head || grouping.textContent, ...shown.flatMap((model) => [model.name, "share"]), ...against(shown)],
      names.map((name) => line(name, sums.get(name))), line("all", wholes),
    );
  }

  return { showTotals, showComparison };
})();
