"use strict";
/* Which steps are shown: those of a model, and those whose commit, author, subject or layers contain a text. */
(() => {
  const model = document.getElementById("model");
  const text = document.getElementById("text");
  const steps = [...document.querySelectorAll(".step")];
  const found = document.getElementById("found");

  function show() {
    const wanted = text.value.trim().toLowerCase();
    let count = 0;
    for (const step of steps) {
      const fits = (!model.value || step.dataset.model === model.value)
        && (!wanted || step.textContent.toLowerCase().includes(wanted));
      step.hidden = !fits;
      count += fits ? 1 : 0;
    }
    found.textContent = `${count} of ${steps.length}`;
  }

  model.addEventListener("change", show);
  text.addEventListener("input", show);
  document.getElementById("filter").hidden = false;
  show();
})();
