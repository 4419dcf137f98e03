"use strict";
/* The picture: an area for each kind over the steps, the parts of the pass, the peak, and the step that is chosen. */
const Chart = (() => {
  const { shape, theme, canvas, fit } = Drawing;
  const HEIGHT = 340;
  const MARGIN = { left: 74, right: 14, top: 26, bottom: 40 };
  const NAMES = ["forward", "backward", "optimiser"];

  let width = 0;
  let line = null;

  const colour = (kind) => getComputedStyle(document.documentElement).getPropertyValue(`--${kind.name}`).trim();
  const inner = () => width - MARGIN.left - MARGIN.right;
  const xOf = (step) => MARGIN.left + (step / Pass.count) * inner();
  const stepAt = (x) => Math.min(Pass.count - 1, Math.max(0, Math.floor(((x - MARGIN.left) / inner()) * Pass.count)));

  /* Of more steps than the picture has points, the largest of those that fall on one. */
  function choosePlaces(shown) {
    const each = Math.ceil(Pass.count / Math.max(inner(), 1));
    const places = [];
    for (let start = 0; start < Pass.count; start += each) {
      let largest = start;
      for (let step = start; step < Math.min(start + each, Pass.count); step += 1) {
        if (Pass.sumAt(step, shown) > Pass.sumAt(largest, shown)) largest = step;
      }
      places.push({ from: start, to: Math.min(start + each, Pass.count), step: largest });
    }
    return places;
  }

  /* Round steps of an axis in units of 1024, at most six. */
  function listTicks(most) {
    let unit = 1;
    while (most / unit >= 1024) unit *= 1024;
    const rough = most / unit / 5;
    const power = 10 ** Math.floor(Math.log10(rough || 1));
    const step = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
    const ticks = [];
    for (let place = 0; place * unit <= most; place += step) ticks.push(place * unit);
    return ticks.map((size) => ({ size, text: size ? tickText(size, unit) : "0" }));
  }

  const tickText = (size, unit) => `${Number((size / unit).toFixed(3))} ${["B", "KiB", "MiB", "GiB", "TiB", "PiB"][Math.round(Math.log(unit) / Math.log(1024))]}`;

  function draw(place, shown) {
    width = Math.max(Math.floor(place.clientWidth || 800), 320);
    const colours = theme();
    const places = choosePlaces(shown);
    const peak = places.reduce((best, each) => (Pass.sumAt(each.step, shown) > Pass.sumAt(best.step, shown) ? each : best)).step;
    const most = Pass.sumAt(peak, shown);
    const bottom = HEIGHT - MARGIN.bottom;
    const yOf = (size) => bottom - (most ? size / (most * 1.14) : 0) * (bottom - MARGIN.top);
    const svg = canvas(width, HEIGHT, `Memory in use during ${Pass.written(Pass.count)} steps, at most ${Pass.both(most)}: ${Pass.describe(peak)}`);
    svg.setAttribute("role", "img");
    drawParts(svg, colours, bottom);
    for (const { size, text } of listTicks(most * 1.14)) {
      svg.append(shape("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: yOf(size), y2: yOf(size), stroke: colours.line }));
      svg.append(shape("text", { x: MARGIN.left - 8, y: yOf(size) + 4, "text-anchor": "end", fill: colours.ink }, text));
    }
    drawAreas(svg, shown, places, yOf);
    drawSteps(svg, colours, bottom);
    drawPeak(svg, peak, most, yOf, colours);
    line = shape("line", { y1: MARGIN.top, y2: bottom, stroke: colours.ink, "stroke-width": 1.5, "data-line": "" });
    svg.append(line);
    place.replaceChildren(svg);
    return svg;
  }

  function drawParts(svg, colours, bottom) {
    Pass.listParts().forEach(({ phase, from, to }, number) => {
      const [left, right] = [xOf(from), xOf(to)];
      if (number % 2) svg.append(shape("rect", { x: left, y: MARGIN.top - 20, width: right - left, height: bottom - MARGIN.top + 20, fill: colours.line, "fill-opacity": 0.45 }));
      const name = fit(NAMES[phase], right - left - 4);
      if (name === NAMES[phase]) svg.append(shape("text", { x: (left + right) / 2, y: MARGIN.top - 7, "text-anchor": "middle", fill: colours.muted, "data-part": name }, name));
    });
  }

  function drawAreas(svg, shown, places, yOf) {
    const base = places.map(() => 0);
    Pass.kinds.forEach((kind, number) => {
      if (!shown.includes(kind)) return;
      const top = places.map(({ step }, place) => base[place] + Pass.curves[number][step]);
      const over = places.map(({ from, to }, place) => `${place ? "L" : "M"}${xOf(from).toFixed(1)} ${yOf(top[place]).toFixed(1)}H${xOf(to).toFixed(1)}`);
      const under = places.map(({ from, to }, place) => `L${xOf(to).toFixed(1)} ${yOf(base[place]).toFixed(1)}H${xOf(from).toFixed(1)}`).reverse();
      svg.append(shape("path", { d: `${over.join("")}${under.join("")}Z`, fill: colour(kind), "data-area": kind.name }));
      top.forEach((size, place) => { base[place] = size; });
    });
  }

  function drawSteps(svg, colours, bottom) {
    const each = Math.max(1, Math.ceil(Pass.count / (inner() / 90)));
    const power = 10 ** Math.floor(Math.log10(each));
    const gap = [1, 2, 5, 10].find((by) => by * power >= each) * power;
    for (let step = 0; step < Pass.count; step += gap) {
      svg.append(shape("text", { x: xOf(step), y: bottom + 16, "text-anchor": step ? "middle" : "start", fill: colours.ink }, Pass.written(step)));
    }
    svg.append(shape("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: bottom, y2: bottom, stroke: colours.muted }));
    svg.append(shape("text", { x: MARGIN.left + inner() / 2, y: HEIGHT - 6, "text-anchor": "middle", fill: colours.muted }, "step"));
  }

  function drawPeak(svg, peak, most, yOf, colours) {
    const x = xOf(peak + 0.5);
    const toRight = x < width / 2;
    const room = toRight ? width - MARGIN.right - x - 10 : x - MARGIN.left - 10;
    const text = fit(`peak ${Pass.binary(most)}: ${Pass.describe(peak)}`, room);
    svg.append(shape("circle", { cx: x, cy: yOf(most), r: 4, fill: colours.ink }));
    svg.append(shape("text", { x: x + (toRight ? 8 : -8), y: yOf(most) - 7, "text-anchor": toRight ? "start" : "end", fill: colours.ink, "data-peak": peak }, text));
  }

  function moveLine(step) {
    if (!line) return;
    line.setAttribute("x1", xOf(step + 0.5));
    line.setAttribute("x2", xOf(step + 0.5));
  }

  return { draw, moveLine, stepAt, colour };
})();
