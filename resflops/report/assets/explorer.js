"use strict";
/* The page about costs. Every figure is a BigInt, so that what is shown is exact whatever its size;
   every name goes in as text and never as markup. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const COLOURS = ["#0072b2", "#b84f00", "#007a59", "#a8467f", "#8a6000", "#4a5f9e"];
  const LISTED = 100;
  const NO_SIZE = "no feature map";
  const MEASURES = { params: "parameters", activations: "activations, elements" };

  const models = data.models.map(read);
  const paths = models.map(() => []);
  const charts = new Map();
  let table = null;

  /* ---- reading ---- */

  /* A text in one line, without the signs that would turn it round or hide it. */
  function clean(text) {
    return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
  }

  function read(model) {
    const text = (place) => clean(data.texts[place]);
    const rows = model.rows.map((cells, number) => {
      const row = Object.fromEntries(data.columns.map((column, place) => [column, cells[place]]));
      for (const key of ["name", "op", "stage", "input", "output", "window", "field"]) row[key] = text(row[key]);
      for (const key of ["params", "buffers", "activations"]) row[key] = BigInt(row[key]);
      row.totals = row.totals.map(BigInt);
      row.formulas = row.formulas.map(text);
      row.path = row.name === "" ? [] : row.name.split(".");
      return { ...row, id: number };
    });
    const name = clean(model.name);
    return { ...model, name, rows, tree: grown(name, rows) };
  }

  /* Modules as a tree. What a module does itself, besides the modules in it, is a leaf named after the op. */
  function grown(name, rows) {
    const root = { name, path: [], children: new Map(), rows: [] };
    for (const row of rows) {
      let node = root;
      row.path.forEach((part, depth) => {
        if (!node.children.has(part)) {
          node.children.set(part, { name: part, path: row.path.slice(0, depth + 1), children: new Map(), rows: [] });
        }
        node = node.children.get(part);
      });
      node.rows.push(row);
    }
    return root;
  }

  /* ---- figures ---- */

  const chosen = () => Number(at("convention").value);
  const measure = () => at("measure").value;
  const convention = () => data.conventions[chosen()];
  const measured = () => MEASURES[measure()] || convention().heading;
  const first = () => Number(at("model").value);
  const second = () => {
    const other = at("other");
    return other && other.value !== "" && Number(other.value) !== first() ? Number(other.value) : null;
  };
  const figure = (row) => (measure() === "total" ? row.totals[chosen()] : row[measure()]);
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
  const least = (model) => (model.uncounted && measure() === "total" ? "≥ " : "");

  /* ---- tables of a few rows ---- */

  function element(kind, text, attributes = {}) {
    const made = document.createElement(kind);
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  function fill(place, caption, heads, rows, foot) {
    const head = element("thead");
    const line = head.appendChild(element("tr"));
    for (const text of heads) line.append(element("th", text, { scope: "col" }));
    const body = element("tbody");
    for (const cells of rows) body.append(lineOf(cells));
    const parts = [element("caption", caption, { class: "hint" }), head, body];
    if (foot) {
      const footer = element("tfoot");
      footer.append(lineOf(foot));
      parts.push(footer);
    }
    at(place).replaceChildren(...parts);
  }

  function lineOf(cells) {
    const line = element("tr");
    cells.forEach((text, place) => line.append(place ? element("td", text) : element("th", text, { scope: "row" })));
    return line;
  }

  function showTotals() {
    const shown = [models[first()], ...(second() === null ? [] : [models[second()]])];
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
    const ratio = shown.length > 1 ? [`${shown[1].name} against ${shown[0].name}`] : [];
    const caption = `Inputs: ${shown.map((model) => `${model.name} ${model.input}`).join("; ")}`;
    fill("totals", caption, ["quantity", ...shown.map((model) => model.name), ...ratio], rows);
    at("warnings").replaceChildren(
      ...shown.flatMap((model) => [
        ...(model.uncounted ? [`${model.name} is incomplete (≥): no rule for ${model.uncounted}.`] : []),
        ...model.notes.map((note) => `${model.name}: ${note}.`),
      ]).map((text) => element("span", `${text} `)),
    );
    at("counts").textContent = `${convention().name} counts ${convention().counts}.`;
  }

  const GROUPS = {
    size: (row) => { const sizes = row.output.split("×"); return sizes.length === 4 ? sizes.slice(2).join("×") : NO_SIZE; },
    stage: (row) => row.stage || "(in no stage)",
    module: (row) => row.path[0] || "(the model itself)",
    op: (row) => row.op || "(never called)",
  };

  function showComparison() {
    at("comparison").hidden = second() === null;
    if (second() === null) return;
    const shown = [models[first()], models[second()]];
    const group = GROUPS[at("grouping").value];
    const sums = new Map();
    shown.forEach((model, side) => {
      for (const row of model.rows) {
        if (!row.calls && !figure(row)) continue;
        const name = group(row);
        if (!sums.has(name)) sums.set(name, [0n, 0n]);
        sums.get(name)[side] += figure(row);
      }
    });
    const wholes = shown.map((model) => sum(model.rows, figure));
    let names = [...sums.keys()].filter((name) => sums.get(name).some(Boolean));
    if (at("grouping").value === "size") {
      const area = (name) => (name === NO_SIZE ? 0 : name.split("×").reduce((product, size) => product * Number(size), 1));
      names = names.sort((one, two) => area(two) - area(one));
    }
    const line = (name, [one, two]) =>
      [name, written(one), share(one, wholes[0]), written(two), share(two, wholes[1]), times(two, one)];
    fill(
      "compared", `${measured()} of both`,
      [at("grouping").selectedOptions[0].textContent, shown[0].name, "share", shown[1].name, "share",
        `${shown[1].name} against ${shown[0].name}`],
      names.map((name) => line(name, sums.get(name))), line("all", wholes),
    );
  }

  /* ---- the tree of modules ---- */

  const within = (node) => [...node.rows, ...[...node.children.values()].flatMap(within)];

  function nodeAt(place) {
    return paths[place].reduce((node, part) => node.children.get(part), models[place].tree);
  }

  /* What stands directly in a module: its modules, and its own ops if it has both. */
  function inside(node) {
    const modules = [...node.children.values()].map((child) => ({ name: child.name, node: child, rows: within(child) }));
    const own = node.rows.map((row) => ({ name: row.op || "(never called)", node: null, rows: [row] }));
    return [...modules, ...own];
  }

  function areas(node, depth, colour) {
    return inside(node)
      .map((part, number) => {
        const exact = sum(part.rows, figure);
        const mine = colour || COLOURS[number % COLOURS.length];
        const area = { name: part.name, value: Number(exact), exact, path: (part.node || node).path, itemStyle: { color: mine } };
        if (part.node && depth > 1 && (part.node.children.size || part.node.rows.length > 1)) {
          area.children = areas(part.node, depth - 1, mine);
          // What ECharts calls the border is the ground that a module's name stands on.
          area.itemStyle.borderColor = mine;
        }
        return area;
      })
      .filter((area) => area.exact > 0n);
  }

  function showTrees() {
    const wanted = [first(), ...(second() === null ? [] : [second()])];
    for (const [place, chart] of charts) {
      if (!wanted.includes(place)) {
        chart.dispose();
        charts.delete(place);
      }
    }
    for (const panel of [...at("trees").children]) {
      if (!wanted.includes(Number(panel.dataset.model))) panel.remove();
    }
    for (const place of wanted) {
      if (!charts.has(place)) addPanel(place);
      at("trees").append(at(`tree-${place}`));
    }
    // Drawn when all are there: each is as wide as the others leave room for.
    wanted.forEach(showTree);
  }

  function addPanel(place) {
    const panel = element("div", undefined, { class: "tree", id: `tree-${place}`, "data-model": place });
    const chart = element("div", undefined, { class: "chart", role: "img" });
    panel.append(
      element("h3"), chart,
      element("ol", undefined, { class: "path", "aria-label": `Path in ${models[place].name}` }),
      element("ul", undefined, { class: "inside", "aria-label": "Modules in here" }),
    );
    at("trees").append(panel);
    const drawn = echarts.init(chart, null, { renderer: "canvas" });
    drawn.on("click", (clicked) => clicked.data && clicked.data.path && go(place, clicked.data.path));
    charts.set(place, drawn);
  }

  function showTree(place) {
    const model = models[place];
    const node = nodeAt(place);
    const panel = at(`tree-${place}`);
    const here = node.path.length ? `${model.name}: ${node.path.join(".")}` : model.name;
    const whole = sum(model.rows, figure);
    const rows = within(node);
    const mine = sum(rows, figure);
    const title = `${here}: ${least(model)}${rounded(mine)} ${measured()}, ${share(mine, whole) || "0 %"} of the model`;
    panel.querySelector("h3").textContent = title;
    const parts = inside(node)
      .map((part) => ({ ...part, exact: sum(part.rows, figure) }))
      .sort((one, two) => (one.exact < two.exact ? 1 : one.exact > two.exact ? -1 : 0));
    const chart = panel.querySelector(".chart");
    const spoken = parts.slice(0, 8).map((part) => `${part.name} ${share(part.exact, mine)}`).join(", ");
    chart.setAttribute("aria-label", `Treemap of ${title}. Largest: ${spoken}. The list below has the same parts.`);
    charts.get(place).resize();
    draw(charts.get(place), node, here);
    showPath(panel.querySelector(".path"), place, node);
    const modules = parts.filter((part) => part.node && part.exact > 0n);
    panel.querySelector(".inside").replaceChildren(
      ...modules.slice(0, LISTED).map((part) => {
        const button = element("button", `${part.name} · ${rounded(part.exact)} · ${share(part.exact, mine) || "0 %"}`, { type: "button" });
        button.addEventListener("click", () => go(place, part.node.path));
        const item = element("li");
        item.append(button);
        return item;
      }),
      ...(modules.length > LISTED ? [element("li", `and ${written(modules.length - LISTED)} more, in the table below`)] : []),
    );
  }

  function showPath(list, place, node) {
    const steps = [models[place].name, ...node.path];
    list.replaceChildren(
      ...steps.map((name, depth) => {
        const item = element("li");
        const button = element("button", depth ? name : `⌂ ${name}`, { type: "button" });
        if (depth === node.path.length) button.setAttribute("aria-current", "location");
        button.addEventListener("click", () => go(place, node.path.slice(0, depth)));
        item.append(button);
        return item;
      }),
    );
  }

  function draw(chart, node, here) {
    const style = getComputedStyle(document.documentElement);
    const paper = style.getPropertyValue("--paper").trim();
    const ink = style.getPropertyValue("--ink").trim();
    const label = (area) => `${area.name}\n${rounded(area.data.exact || 0n)}`;
    chart.setOption({
      animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      animationDuration: 250,
      tooltip: {
        backgroundColor: paper, textStyle: { color: ink }, confine: true,
        formatter: (area) => element("div", area.data && area.data.exact !== undefined
          ? `${area.data.path.join(".") || here} ${area.name}: ${written(area.data.exact)} ${measured()}` : here,
        { style: "max-width: 24rem; white-space: normal; overflow-wrap: anywhere" }),
      },
      series: [{
        type: "treemap", name: here, data: areas(node, 2, null), roam: false, nodeClick: false,
        breadcrumb: { show: false }, left: 2, right: 2, top: 2, bottom: 2, visibleMin: 120, sort: "desc",
        label: { color: "#ffffff", lineHeight: 15, formatter: label, overflow: "truncate" },
        upperLabel: { show: true, height: 20, color: "#ffffff", formatter: (area) => `${area.name} · ${rounded(area.data.exact || 0n)}`, overflow: "truncate" },
        itemStyle: { borderColor: paper, borderWidth: 1, gapWidth: 1 },
        levels: [
          { itemStyle: { borderWidth: 0, gapWidth: 3 }, upperLabel: { show: false } },
          { itemStyle: { borderWidth: 1, gapWidth: 2 } },
          { itemStyle: { borderWidth: 1, borderColor: paper } },
        ],
      }],
    }, { notMerge: true });
  }

  function go(place, path) {
    let node = models[place].tree;
    const known = [];
    for (const part of path) {
      node = node.children.get(part);
      known.push(part);
    }
    paths[place] = known;
    showTree(place);
    if (place === first()) filter();
    at("said").textContent = at(`tree-${place}`).querySelector("h3").textContent;
    // The button that was pressed is gone; the keyboard goes on where the reader is now.
    if (!document.activeElement || document.activeElement === document.body) {
      at(`tree-${place}`).querySelector("[aria-current]").focus();
    }
  }

  /* ---- the table of layers ---- */

  const compared = (one, two) => (one < two ? -1 : one > two ? 1 : 0);
  const natural = new Intl.Collator("en", { numeric: true }).compare;
  const area = (text) => (text ? text.split("×").reduce((product, size) => product * Number(size), 1) : 0);

  function column(field, title, settings = {}) {
    const number = settings.number;
    return {
      field,
      title,
      hozAlign: number ? "right" : "left",
      headerSortStartingDir: number ? "desc" : "asc",
      sorter: settings.sorter || (number ? compared : natural),
      titleFormatter: () => element("button", title, { type: "button", id: `by-${field}` }),
      formatter: (cell) => {
        const value = cell.getValue();
        const text = typeof value === "bigint" || typeof value === "number" ? written(value) : value;
        return element("span", text, String(text).length > 24 ? { title: text } : {});
      },
      ...settings.more,
    };
  }

  function rowsOf(model) {
    const whole = sum(model.rows, (row) => row.totals[chosen()]);
    return model.rows.map((row) => ({
      id: row.id,
      number: row.id + 1,
      name: row.name || "(the model itself)",
      op: row.counted ? row.op || "(never called)" : `${row.op} (not counted)`,
      stage: row.stage,
      calls: row.calls,
      input: row.input,
      output: row.output,
      window: row.window,
      total: row.totals[chosen()],
      share: share(row.totals[chosen()], whole),
      params: row.params,
      activations: row.activations,
      field: row.field,
      formula: row.formulas[chosen()],
      path: row.path,
    }));
  }

  function showLayers() {
    const model = models[first()];
    at("layers-of").textContent = model.name;
    const heading = document.getElementById("by-total");
    const rows = rowsOf(model);
    if (table) {
      if (heading) heading.textContent = convention().heading;
      // A longer heading needs a wider column, which only a full redraw makes.
      table.replaceData(rows).then(() => { table.redraw(true); named(rows.length); filter(); });
      return;
    }
    table = new Tabulator("#layers", {
      data: rows,
      index: "id",
      height: "32rem",
      layout: "fitDataFill",
      renderHorizontal: "basic",
      columnDefaults: { headerSort: true, maxWidth: 360 },
      placeholder: "no layer matches",
      columns: [
        column("number", "#", { number: true, more: { headerSortStartingDir: "asc" } }),
        column("name", "layer", { more: { frozen: innerWidth > 700, minWidth: 140 } }),
        column("op", "op"),
        column("total", convention().heading, { number: true, more: { minWidth: 150 } }),
        column("share", "share", { number: true, sorter: (one, two, a, b) => compared(a.getData().total, b.getData().total) }),
        column("params", "parameters", { number: true }),
        column("activations", "activations", { number: true }),
        column("output", "output", { sorter: (one, two) => compared(area(one), area(two)) }),
        column("input", "input", { sorter: (one, two) => compared(area(one), area(two)) }),
        column("window", "window"),
        column("stage", "stage"),
        column("calls", "calls", { number: true }),
        column("field", "receptive field", { sorter: (one, two) => compared(area(one), area(two)) }),
        column("formula", "formula", { more: { maxWidth: 520, minWidth: 260 } }),
      ],
    });
    table.on("tableBuilt", () => { named(rows.length); filter(); });
    table.on("dataFiltered", (_, shown) => said(shown.length));
    table.on("dataSorted", (sorters) => {
      if (!sorters.length) return;
      const heading = at(`by-${sorters[0].field}`).textContent;
      at("said").textContent = `sorted by ${heading}, ${sorters[0].dir === "asc" ? "ascending" : "descending"}`;
    });
  }

  /* Only the rows in view are in the document; a screen reader is told how many there are. */
  function named(count) {
    at("layers").setAttribute("aria-label", `Layers of ${models[first()].name}`);
    at("layers").setAttribute("aria-rowcount", count + 1);
  }

  function said(shown) {
    const model = models[first()];
    const here = paths[first()].length ? ` in ${paths[first()].join(".")}` : "";
    at("found").textContent = `${written(shown)} of ${written(model.rows.length)} rows${here}`;
  }

  function filter() {
    const terms = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const path = paths[first()];
    table.setFilter((row) => {
      if (!path.every((part, depth) => row.path[depth] === part)) return false;
      if (!terms.length) return true;
      const text = [row.name, row.op, row.stage, row.input, row.output, row.window, row.formula].join(" ").toLowerCase();
      return terms.every((term) => text.includes(term));
    });
  }

  /* ---- together ---- */

  function show() {
    showTotals();
    showComparison();
    showTrees();
    showLayers();
    const model = models[first()];
    at("said").textContent = `${model.name}: ${least(model)}${written(sum(model.rows, figure))} ${measured()}`;
  }

  let waiting = 0;
  at("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("controls").addEventListener("change", show);
  at("grouping").addEventListener("change", showComparison);
  addEventListener("resize", () => charts.forEach((chart) => chart.resize()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTrees);
  show();
})();
