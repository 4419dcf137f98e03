"use strict";
/* The page about costs: what happens at each control. */
(() => {
  const { models } = Figures;
  const { element } = Drawing;
  const { at, trees, selection, chosen, first, shownModels } = Choices;

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
    waiting = setTimeout(() => { Going.filter(); Pictures.showPicture(first()); Going.remember(false); }, 120);
  });
  at("elsewhere").addEventListener("click", () => { Going.go(first(), trees[first()], true); at("search").focus(); });
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("controls").addEventListener("change", (event) => {
    if (["model", "other"].includes(event.target.id)) { selection.row = null; selection.node = null; }
    Going.showAll();
    Going.remember(true);
  });
  at("grouping").addEventListener("change", () => { Sums.showComparison(); Going.remember(false); });
  at("copy-csv").addEventListener("click", () => copy(Layers.csv(models[first()], chosen())).then(() => Going.say("copied the rows in view as CSV")));
  at("save-csv").addEventListener("click", () => {
    const name = models[first()].name.replace(/[^\w.-]+/g, "_").slice(0, 60);
    Drawing.save(new Blob([Layers.csv(models[first()], chosen())], { type: "text/csv" }), `${name}-layers.csv`);
  });
  at("copy-link").addEventListener("click", () => copy(location.href).then(() => Going.say("copied the link to what is shown here")));
  // As a link it would put its target where the address says what is shown.
  document.querySelector("a.skip").addEventListener("click", (event) => { event.preventDefault(); at("layers-heading").focus(); });
  let resizing = 0;
  addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => shownModels().forEach(Pictures.showPicture), 60); });
  addEventListener("popstate", Going.restore);
  addEventListener("hashchange", Going.restore);
  addEventListener("scroll", Drawing.hideTip, true);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", Pictures.showPictures);
  Going.restore();
})();
