"use strict";
/* The laws of the page, computed exactly for a value that its reader types: BigInt alone, since a cost may be larger
   than what a number of JavaScript holds without rounding. */
const Laws = (() => {
  function floor(numerator, divisor) {
    const quotient = numerator / divisor;
    return numerator % divisor < 0n ? quotient - 1n : quotient;
  }

  /* The sum of fractions as [numerator, denominator]; null where no value with its remainder was counted. */
  function evaluate(law, value) {
    const piece = law.pieces[Number(value % BigInt(law.pieces.length))];
    if (law.pieces.length > 1 && !piece.length) return null;
    let numerator = 0n, denominator = 1n;
    for (const term of piece) {
      let amount = BigInt(term.numerator);
      for (const [divisor, shift, power] of term.factors) {
        amount *= floor(value + BigInt(shift), BigInt(divisor)) ** BigInt(power);
      }
      const below = BigInt(term.denominator);
      numerator = numerator * below + amount * denominator;
      denominator *= below;
    }
    return [numerator, denominator];
  }

  function write(figure) {
    if (figure === null) return "unknown";
    const [numerator, denominator] = figure;
    return numerator % denominator === 0n ? (numerator / denominator).toLocaleString("en-US") : "no whole number";
  }

  /* What is known of a value: that it was counted, or that the law says so, or that nothing is claimed. */
  function describe(law, value) {
    if (law.counted.includes(String(value))) return "counted";
    const first = BigInt(law.first), last = BigInt(law.last), stride = BigInt(law.stride);
    if (evaluate(law, value) === null) return "no value with its remainder was counted";
    if (stride > 1n && (value - first) % stride !== 0n) return "between the counted values: the law claims nothing here";
    return value < first || value > last ? `by the law, beyond the counted ${first} to ${last}` : "by the law";
  }

  return { evaluate, write, describe };
})();

(() => {
  const { laws } = JSON.parse(document.getElementById("data").textContent);
  const box = document.getElementById("computing");
  if (!box || !laws.length) return;
  const input = document.getElementById("value"), list = document.getElementById("computed");

  function add(kind, text) {
    const made = document.createElement(kind);
    made.textContent = text;
    list.append(made);
    return made;
  }

  function show() {
    list.replaceChildren();
    if (!/^[0-9]{1,9}$/.test(input.value) || !Number(input.value)) {
      add("dt", "Give a whole number of at least 1.");
      return;
    }
    const value = BigInt(input.value);
    for (const law of laws) {
      add("dt", laws.some((other) => other.model !== law.model) ? `${law.model}, ${law.figure}` : law.figure);
      const shown = add("dd", Laws.write(Laws.evaluate(law, value)));
      const hint = document.createElement("span");
      hint.className = "hint";
      hint.textContent = Laws.describe(law, value);
      shown.append(" ", hint);
    }
  }

  box.hidden = false;
  input.addEventListener("input", show);
  show();
})();
