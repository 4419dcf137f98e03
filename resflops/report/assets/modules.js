"use strict";
/* A model as a tree of modules, for the treemap and the table, and as one of runs of ops, for the graph. */
const Modules = (() => {
  /* So many parts of one module are looked at side by side; of more, neighbours are put together. */
  const MOST = 120;

  /* ---- what stands in which module ---- */

  function treeOf(model) {
    const root = module(model, [], null);
    for (const row of model.rows) {
      let node = root;
      row.path.forEach((_, depth) => { node = childOf(model, node, row.path.slice(0, depth + 1)); });
      node.parts.push(leaf(row, node));
    }
    settle(root);
    return root;
  }

  function module(model, path, parent) {
    const key = path.at(-1) ?? "";
    return { key, path, name: key, cls: model.classes.get(path.join(".")) || "", parent, row: null, parts: [], byKey: new Map(), rows: [] };
  }

  function leaf(row, parent) {
    return { key: `#${row.id}`, path: row.path, name: "", cls: "", parent, row, parts: [], byKey: new Map(), rows: [row] };
  }

  function childOf(model, node, path) {
    const key = path.at(-1);
    if (!node.byKey.has(key)) {
      const child = module(model, path, node);
      node.byKey.set(key, child);
      node.parts.push(child);
    }
    return node.byKey.get(key);
  }

  /* Parts in forward order, modules with one op as that op, long lists in runs. */
  function settle(node) {
    for (const part of node.parts) if (!part.row) settle(part);
    node.parts = node.parts.map((part) => (part.parts.length === 1 && part.parts[0].row ? inPlaceOf(part) : part));
    node.rows = node.row ? [node.row] : node.parts.flatMap((part) => part.rows);
    node.parts.sort((one, two) => one.rows[0].id - two.rows[0].id);
    if (node.parts.length > MOST) node.parts = runsOf(node.parts, (parts) => runOfParts(parts, node));
    node.byKey = new Map(node.parts.map((part) => [part.key, part]));
  }

  function inPlaceOf(part) {
    return { ...part, row: part.parts[0].row, parts: [] };
  }

  function runsOf(parts, join) {
    const length = Math.ceil(Math.sqrt(parts.length));
    const runs = [];
    for (let from = 0; from < parts.length; from += length) runs.push(join(parts.slice(from, from + length), from));
    return runs;
  }

  function runOfParts(parts, parent) {
    const run = {
      key: `~${parts[0].key}`, path: parent.path, name: `${labelOf(parts[0])} … ${labelOf(parts.at(-1))}`, cls: "",
      parent, row: null, parts, rows: parts.flatMap((part) => part.rows), run: true,
    };
    run.byKey = new Map(parts.map((part) => [part.key, part]));
    for (const part of parts) part.parent = run;
    return run;
  }

  /* The node at a path of keys, as far as there is one. */
  function nodeAt(tree, keys) {
    let node = tree;
    for (const key of keys) {
      const next = node.byKey.get(key);
      if (!next || next.row) break;
      node = next;
    }
    return node;
  }

  function keysOf(node) {
    return node.parent ? [...keysOf(node.parent), node.key] : [];
  }

  /* The parts to draw. A part that holds nearly all is opened in its place, one with a single part is that part. */
  function blocksOf(node, of) {
    let blocks = node.parts.filter((part) => of(part) > 0n);
    for (;;) {
      const whole = Figures.sum(blocks, of);
      const place = blocks.findIndex((block) => block.parts.length && of(block) * 100n > whole * 95n);
      if (place < 0) break;
      blocks.splice(place, 1, ...blocks[place].parts.filter((part) => of(part) > 0n));
    }
    return blocks.map((block) => {
      let only = block;
      let named = block;
      for (;;) {
        const parts = only.parts.filter((part) => of(part) > 0n);
        if (parts.length !== 1) break;
        [only] = parts;
        if (only.row || CONTAINERS.has(named.cls)) named = only;
      }
      return only === named ? only : { ...only, named };
    });
  }

  const CONTAINERS = new Set(["Sequential", "ModuleList", "ModuleDict", ""]);
  const isIndex = (name) => /^\d*$/.test(name);

  /* What a block is: an op by what it does, a module by its class; by its name where that says more than an index. */
  function labelOf(node) {
    if (node.named) return labelOf(node.named);
    if (node.row) return nameOp(node.name, node.row.label || node.row.op || "(never called)");
    return node.run ? node.name : nameModule(node);
  }

  const nameOp = (name, what) => (isIndex(name) || what === name ? what : `${name}: ${what}`);

  function nameModule({ name, cls, path }) {
    if (CONTAINERS.has(cls)) return isIndex(name) ? path.join(".") : name;
    return isIndex(name) ? `${cls} ${name}` : `${name} · ${cls}`;
  }

  function placeOf(node, model) {
    if (node.run) return `${node.path.join(".") || model.name}: ${node.name}`;
    return node.path.join(".") || (node.row ? "the model itself" : model.name);
  }

  /* ---- what runs after what ---- */

  /* Ops as a tree of runs: neighbours in the trace with the same module. A module that is called twice is two
     runs, so that what is folded up never feeds what feeds it. */
  const runTreeOf = (model, nodes, path) => runNode(model, path, nodes, "r", true);

  function runNode(model, path, nodes, id, top = false) {
    const made = { id, path, nodes, op: null, parts: [], name: path.at(-1) ?? "", cls: model.classes.get(path.join(".")) || "" };
    let parts = partsOf(model, path, nodes, id);
    // A module around a single module is that one.
    if (parts.length === 1 && !parts[0].op && !top) return parts[0];
    if (parts.length > MOST) parts = runsOf(parts, (some, from) => ({
      id: `${id}~${from}`, path, op: null, parts: some, nodes: some.flatMap((part) => part.nodes), run: true, cls: "",
      name: `${titleOf(some[0])} … ${titleOf(some.at(-1))}`,
    }));
    made.parts = parts;
    return made;
  }

  function partsOf(model, path, nodes, id) {
    const parts = [];
    for (let from = 0; from < nodes.length;) {
      const key = nodes[from].path[path.length];
      let end = from + 1;
      if (key !== undefined) while (end < nodes.length && nodes[end].path[path.length] === key) end += 1;
      const some = nodes.slice(from, end);
      const below = key === undefined ? path : [...path, key];
      // Of a module without modules inside, each op is shown by itself.
      if (key === undefined || some.every((node) => node.path.length === below.length)) {
        for (const node of some) parts.push({ id: `o${node.id}`, path: below, nodes: [node], op: node, parts: [], name: key ?? "", cls: model.classes.get(below.join(".")) || "" });
      } else {
        parts.push(runNode(model, below, some, `${id}.${parts.length}`));
      }
      from = end;
    }
    return parts;
  }

  function titleOf(part) {
    if (part.op) return nameOp(part.name, part.op.label);
    return part.run ? part.name : nameModule(part);
  }

  /* Additions of two things that the network has made, as a shortcut ends. */
  const isJoin = (node) => /^add_?$/.test(node.op) && node.sources.length > 1;

  return { treeOf, nodeAt, keysOf, blocksOf, labelOf, placeOf, runTreeOf, titleOf, isJoin };
})();
