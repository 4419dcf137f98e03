"use strict";
/* The panel beside the pictures: all that is known of the op that was chosen. */
const Details = (() => {
  const { models } = Figures;
  const { element } = Drawing;
  const { at, trees, zoomed, selection, view, chosenNode, GRAPH } = Choices;

  function show() {
    const box = at("details");
    const model = models[selection.place];
    const row = selection.row === null ? null : model.rows[selection.row];
    const node = chosenNode(selection.place) || (row && model.graph.nodes.find((each) => each.row === row.id));
    if (!row && !node) {
      box.replaceChildren(element("p", "Choose an op in the picture, or a layer in the table: its shapes, attributes and formula appear here.", { class: "hint" }));
      return;
    }
    const list = element("dl");
    const facts = row ? Descriptions.factsOf(model, row, node) : Descriptions.nodeFacts(node);
    for (const [name, value] of facts) if (value) list.append(element("dt", name), element("dd", value));
    const feeds = node ? model.graph.nodes.filter((each) => each.sources.includes(node.id)) : [];
    const links = [["fed by", node ? node.sources : []], ["feeds", feeds.map((each) => each.id)]];
    for (const [name, ids] of links) {
      if (!ids.length) continue;
      const value = element("dd");
      ids.slice(0, 12).forEach((id) => value.append(id < 0 ? element("span", "the input ") : linkTo(selection.place, model.graph.nodes[id])));
      if (ids.length > 12) value.append(element("span", `and ${ids.length - 12} more`));
      list.append(element("dt", name), value);
    }
    box.replaceChildren(element("h3", `${row ? row.name || model.name : node.layer || model.name}`), ...(row ? buttonsOf(row) : []), list);
  }

  function linkTo(place, node) {
    const button = element("button", node.layer ? `${node.layer} (${node.op})` : node.op, { type: "button", class: "link" });
    button.addEventListener("click", () => {
      selection.node = node;
      if (node.row >= 0 && !zoomed[place].rows.some((row) => row.id === node.row)) Going.go(place, trees[place], false);
      if (view() === GRAPH) GraphView.reveal(place, node);
      Going.select(place, node.row < 0 ? null : node.row);
      focus();
    });
    return button;
  }

  function focus() {
    const heading = at("details").querySelector("h3");
    if (!heading) return;
    heading.setAttribute("tabindex", "-1");
    heading.focus();
  }

  function buttonsOf(row) {
    const line = element("p", undefined, { class: "buttons" });
    const toRow = element("button", `Row ${row.id + 1} of the table ↓`, { type: "button", id: "to-row" });
    toRow.addEventListener("click", () => Going.goToRow(row.id));
    const toPicture = element("button", "Show in the picture ↑", { type: "button", id: "to-picture" });
    toPicture.addEventListener("click", () => Going.goToPicture(row.id));
    line.append(toRow, toPicture);
    return [line];
  }

  return { show, focus };
})();
