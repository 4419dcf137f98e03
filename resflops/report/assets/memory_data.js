"use strict";
/* The pass as the page got it, and what follows from its blocks, as resflops.Memory computes it. Sizes are whole
   numbers of bytes below 2^53, so that every sum here is exact; every name goes in as text and never as markup. */
const Pass = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  /* A text in one line, without the signs that would turn it round or hide it. */
  const clean = (text) => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
  const texts = data.texts.map(clean);
  const { steps, blocks, kinds, phases, peakStep } = data;
  const count = Math.max(steps.op.length, 1);

  /* A block is there from the step that takes it to the one that finds it released. */
  const isThere = (block, step) => blocks.born[block] <= step && (blocks.died[block] === null || blocks.died[block] > step);

  /* For each kind, the bytes in use during each step. */
  const curves = kinds.map(() => new Float64Array(count + 1));
  blocks.size.forEach((size, block) => {
    const curve = curves[blocks.kind[block]];
    curve[Math.max(blocks.born[block], 0)] += size;
    if (blocks.died[block] !== null) curve[blocks.died[block]] -= size;
  });
  for (const curve of curves) for (let step = 1; step <= count; step += 1) curve[step] += curve[step - 1];

  const sumAt = (step, shown = kinds) => kinds.reduce((sum, kind, place) => sum + (shown.includes(kind) ? curves[place][step] : 0), 0);

  const alive = (step) => blocks.size.map((_, block) => block).filter((block) => isThere(block, step));

  function describe(step) {
    if (!steps.op.length) return "no op";
    const layer = texts[steps.layer[step]] || "the model itself";
    return `${texts[steps.op[step]]} of ${layer} in ${phases[steps.phase[step]]}`;
  }

  /* The parts of the pass, one after the other: its phase, its first step, and the first of the next. */
  function listParts() {
    const parts = [];
    steps.phase.forEach((phase, step) => {
      if (!parts.length || parts.at(-1).phase !== phase) parts.push({ phase, from: step, to: step });
      parts.at(-1).to = step + 1;
    });
    return parts;
  }

  /* What is held during a step, by layer; with a depth, by the module down to that depth of the tree. */
  function listHolders(step, depth) {
    const held = new Map();
    for (const block of alive(step)) {
      const path = texts[blocks.layer[block]];
      const layer = depth ? path.split(".").slice(0, depth).join(".") : path;
      if (!held.has(layer)) held.set(layer, { layer, size: 0, byKind: kinds.map(() => 0) });
      const holder = held.get(layer);
      holder.size += blocks.size[block];
      holder.byKind[blocks.kind[block]] += blocks.size[block];
    }
    return [...held.values()].sort((one, two) => two.size - one.size || (one.layer < two.layer ? -1 : 1));
  }

  /* Each block during a step, the largest first. */
  const listBlocks = (step) => alive(step)
    .map((block) => ({
      layer: texts[blocks.layer[block]], name: texts[blocks.name[block]], size: blocks.size[block], kind: kinds[blocks.kind[block]],
      born: blocks.born[block], died: blocks.died[block],
    }))
    .sort((one, two) => two.size - one.size || one.born - two.born);

  const deepest = Math.max(1, ...texts.filter((_, place) => blocks.layer.includes(place)).map((path) => path.split(".").length));

  /* ---- how sizes are written ---- */

  const written = (number) => number.toLocaleString("en-US");

  function inUnits(size, base, ending) {
    const prefixes = "KMGTP";
    let power = 1;
    while (power < prefixes.length && Math.round(size / base ** power) >= base) power += 1;
    const value = size / base ** power;
    return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${prefixes[power - 1]}${ending}`;
  }

  const binary = (size) => (size < 1024 ? `${size} B` : inUnits(size, 1024, "iB"));
  const both = (size) => (size < 1000 ? `${size} B` : `${inUnits(size, 1000, "B")} (${inUnits(size, 1024, "iB")})`);

  function share(part, whole) {
    const percent = whole ? (100 * part) / whole : 0;
    return percent > 0 && percent < 0.05 ? "<0.1 %" : `${percent.toFixed(1)} %`;
  }

  /* Steps are counted from 0 in the data, and from 1 by people. */
  const numbered = (step) => written(step + 1);

  return {
    model: clean(data.model), kinds, phases, count, peakStep, curves, sumAt, describe, listParts, listHolders, listBlocks, deepest,
    written, binary, both, share, numbered,
  };
})();
