"use strict";
/* The panels of the pictures, with the path to what is shown, and the treemap in them. */
const Pictures = (() => {
  const { models, sum, written, share, rounded } = Figures;
  const { element } = Drawing;
  const {
    at, trees, zoomed, selection, measured, view, first, second, shownModels, common, figure, whole, least, terms,
    matching, GRAPH,
  } = Choices;
  const LISTED = 24;

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
    const drawn = (view() === GRAPH ? GraphView.draw : drawTree)(place, node, title, matches);
    panel.querySelector(".keys").replaceChildren(...(drawn ? [Drawing.legend(drawn.kinds)] : []));
    if (focused !== null && drawn) {
      const again = drawn.svg.querySelector(`[data-block="${CSS.escape(focused)}"]`) || drawn.svg.querySelector("[data-block]");
      if (again) again.focus({ preventScroll: true });
    }
    showInside(panel.querySelector(".inside"), place, node, mine);
  }

  const selectedIn = (place) => (place === selection.place ? selection.row : null);

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
      nothing: `There is nothing to show: no ${measured()}.`,
      tip: (part) => Descriptions.describe(place, part),
      activate: (part) => (part.row ? Going.select(place, part.row.id) : Going.go(place, part, true)),
      up: () => Going.go(place, zoomed[place].parent || trees[place], true),
    };
    const drawn = Treemap.draw(options);
    Treemap.keys(drawn.svg, options);
    chart.replaceChildren(drawn.svg);
    panel.querySelector(".buttons").replaceChildren(...exports(place, drawn.svg, "treemap"));
    return drawn;
  }

  function exports(place, svg, kind) {
    const name = `${models[place].name.replace(/[^\w.-]+/g, "_").slice(0, 60)}-${kind}`;
    const made = [["SVG", () => Drawing.saveSvg(svg, name)], ["PNG", () => Drawing.savePng(svg, name).catch(() => Going.say("the picture is too large for a PNG; save it as SVG"))]];
    return made.map(([text, press]) => {
      const button = element("button", `Save ${text}`, { type: "button", "aria-label": `Save the ${kind} of ${models[place].name} as ${text}` });
      button.addEventListener("click", press);
      return button;
    });
  }

  function showInside(list, place, node, mine) {
    const parts = Modules.blocksOf(node, (part) => sum(part.rows, figure)).filter((part) => !part.row)
      .map((part) => ({ part, exact: sum(part.rows, figure) }));
    list.replaceChildren(
      ...parts.slice(0, LISTED).map(({ part, exact }) => {
        const button = element("button", `${part.run || /^\d+$/.test(part.key) ? Modules.labelOf(part) : part.key} · ${rounded(exact)} · ${share(exact, mine) || "0 %"}`, { type: "button" });
        button.addEventListener("click", () => Going.go(place, part, true));
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
        button.addEventListener("click", () => Going.go(place, step, true));
        item.append(button);
        return item;
      }),
    );
  }

  return { showPictures, showPicture, selectedIn, exports };
})();
