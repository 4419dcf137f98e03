"use strict";
/* The table of layers of one model, and its rows as CSV. */
const Layers = (() => {
  const { element } = Drawing;
  const { written, share, sum } = Figures;
  const compared = (one, two) => (one < two ? -1 : one > two ? 1 : 0);
  const natural = new Intl.Collator("en", { numeric: true }).compare;
  const area = (text) => (text ? text.split("×").reduce((product, size) => product * Number(size), 1) : 0);
  const byArea = { sorter: (one, two) => compared(area(one), area(two)) };

  /* On a narrow screen a row has its name and what it costs; the rest is said of the chosen layer. */
  const ALWAYS = ["name", "total", "share"];
  const isNarrow = () => innerWidth <= 700;

  let table = null;
  let built = false;
  let chosen = null;

  function column(field, title, settings = {}) {
    const { number } = settings;
    return {
      field,
      title,
      hozAlign: number ? "right" : "left",
      headerSortStartingDir: number ? "desc" : "asc",
      sorter: settings.sorter || (number ? compared : natural),
      titleFormatter: () => element("button", title, { type: "button", id: `by-${field}` }),
      formatter: settings.formatter || ((cell) => {
        const value = cell.getValue();
        const text = typeof value === "bigint" || typeof value === "number" ? written(value) : value;
        return element("span", text, String(text).length > 24 ? { title: text } : {});
      }),
      visible: !isNarrow() || ALWAYS.includes(field),
      ...settings.more,
    };
  }

  function rowsOf(model, convention) {
    const whole = sum(model.rows, (row) => row.totals[convention]);
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
      total: row.totals[convention],
      share: share(row.totals[convention], whole),
      params: row.params,
      activations: row.activations,
      field: row.field,
      formula: row.formulas[convention],
    }));
  }

  const COLUMNS = ["number", "name", "op", "total", "share", "formula", "params", "activations", "output", "input", "window", "stage", "calls", "field"];

  /* `events` are called as the reader works: chose(row), shown(ids), sorted(field, direction). */
  function create(rows, heading, events) {
    table = new Tabulator("#layers", {
      data: rows,
      index: "id",
      height: "32rem",
      layout: isNarrow() ? "fitColumns" : "fitDataFill",
      renderHorizontal: "basic",
      columnDefaults: { headerSort: true, maxWidth: 360 },
      placeholder: "no layer matches",
      rowFormatter: (row) => row.getElement().classList.toggle("chosen-row", row.getData().id === chosen),
      columns: [
        column("number", "#", { number: true, more: { headerSortStartingDir: "asc" } }),
        column("name", "layer", {
          formatter: (cell) => {
            const button = element("button", cell.getValue(), { type: "button", class: "link", tabindex: "-1", title: "show this layer in the picture" });
            button.addEventListener("click", () => events.chose(cell.getData().id));
            return button;
          },
          more: { frozen: !isNarrow(), minWidth: 120 },
        }),
        column("op", "op"),
        column("total", heading, { number: true, more: { minWidth: 120 } }),
        column("share", "share", { number: true, more: { minWidth: 86, ...(isNarrow() ? { maxWidth: 86 } : {}) }, sorter: (one, two, a, b) => compared(a.getData().total, b.getData().total) }),
        column("formula", "formula", { more: { maxWidth: 420, minWidth: 220 } }),
        column("params", "parameters", { number: true }),
        column("activations", "activations", { number: true }),
        column("output", "output", byArea),
        column("input", "input", byArea),
        column("window", "window"),
        column("stage", "stage"),
        column("calls", "calls", { number: true }),
        column("field", "receptive field", byArea),
      ],
    });
    document.getElementById("layers").addEventListener("keydown", moveAmongRows);
    table.on("tableBuilt", () => { built = true; events.ready(); });
    table.on("dataFiltered", (_, shown) => events.shown(shown.length));
    table.on("dataSorted", (sorters) => { if (built) events.sorted(sorters); });
  }

  /* The table is one stop of Tab: Enter leads to its rows, arrows from row to row, Escape out again. */
  function moveAmongRows(event) {
    const holder = event.target.closest(".tabulator-tableholder");
    if (!holder) return;
    const row = event.target.closest(".tabulator-row");
    const next = row
      ? { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling, Escape: holder }[event.key]
      : event.key === "Enter" && firstInView(holder);
    if (!next) return;
    event.preventDefault();
    (next === holder ? holder : next.querySelector("button.link")).focus();
  }

  function firstInView(holder) {
    const { top } = holder.getBoundingClientRect();
    return [...holder.querySelectorAll(".tabulator-row")].find((row) => row.getBoundingClientRect().top >= top - 1);
  }

  function show(model, convention, heading, events) {
    const rows = rowsOf(model, convention);
    if (!table) { create(rows, heading, events); return; }
    if (!built) return;
    const button = document.getElementById("by-total");
    if (button) button.textContent = heading;
    // A longer heading needs a wider column, which only a full redraw makes.
    table.replaceData(rows).then(() => { table.redraw(true); events.ready(); });
  }

  const filter = (accepts) => { if (built) table.setFilter((row) => accepts(row.id)); };
  const sort = (field, direction) => { if (COLUMNS.includes(field)) table.setSort(field, direction); };

  /* Marks a row and brings it into the view of the table. */
  function choose(id) {
    if (!built) { chosen = id; return; }
    const before = chosen;
    chosen = id;
    for (const each of [before, id]) {
      const row = each === null ? false : table.getRow(each);
      if (row) row.reformat();
    }
    if (id !== null) table.scrollToRow(id, "center", false).catch(() => {});
  }

  function focus(id) {
    const row = table.getRow(id);
    const button = row && row.getElement().querySelector("button.link");
    if (button) button.focus();
  }

  /* ---- CSV ---- */

  const RUN_BY_SPREADSHEETS = /^[=+\-@\t\r＝＋－＠]/;

  function field(value) {
    const text = typeof value === "string" && RUN_BY_SPREADSHEETS.test(value) ? `'${value}` : String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  /* The rows in view, in their order, figures whole. */
  function csv(model, convention) {
    const whole = sum(model.rows, (row) => row.totals[convention]);
    const head = ["model", "number", "name", "op", "total", "share", "formula", "params", "buffers", "activations", "output_shape", "input_shape", "window", "stage", "calls", "receptive_field", "convention"];
    const lines = table.getData("active").map(({ id, number }) => {
      const row = model.rows[id];
      return [
        model.name, number, row.name, row.op, row.totals[convention],
        whole === 0n ? "" : Figures.quotient(row.totals[convention], whole), row.formulas[convention], row.params,
        row.buffers, row.activations, row.output, row.input, row.window, row.stage, row.calls, row.field,
        Figures.conventions[convention].name,
      ];
    });
    return [head, ...lines].map((cells) => cells.map(field).join(",")).join("\n") + "\n";
  }

  return { show, filter, sort, choose, focus, csv, isNarrow };
})();
