"""The work of every case, forward and for each gradient, and its records, as they are stored.

So no formula and no shape changes unnoticed. What is meant to change changes its line in ``stored.json`` or
``stored_records.json``, which ``RESFLOPS_STORE=1 python -m pytest tests/ops/test_stored_work.py`` rewrites.
"""

import importlib
import json
import os
import runpy
from pathlib import Path

import pytest
import torch

from resflops.cost import price
from resflops.cost.convention import FLOPS
from resflops.tracing.recorder import Recorder

HERE = Path(__file__).parent
STORED = HERE / "stored.json"
STORED_RECORDS = HERE / "stored_records.json"
TABLES = sorted(path.stem for path in HERE.glob("test_*.py") if "\nCASES = {" in path.read_text())


def write(work):
    """The kinds of work that there are, as text that a reader of a change can follow."""
    return ", ".join(f"{count} {kind}" for kind, count in work.kinds() if count) or "none"


def write_record(op):
    """An op's shapes and attributes, and where its inputs come from."""
    inputs = [f"{'×'.join(map(str, shape))} from {producer}"
              for shape, producer in zip(op.input_shapes, op.producers, strict=True)]  # fmt: skip
    outputs = ["×".join(map(str, shape)) for shape in op.output_shapes]
    attributes = [f"{name}={value}" for name, value in sorted(op.attributes.items())]
    return f"{op.op} {op.dtype} of {', '.join(inputs)} -> {', '.join(outputs)} {' '.join(attributes)}".strip()


def compare_with_stored(path, table, found):
    """That a table is as stored; or store it, where the environment says so."""
    stored = json.loads(path.read_text()) if path.exists() else {}
    if os.environ.get("RESFLOPS_STORE"):
        path.write_text(
            json.dumps(dict(sorted({**stored, table: found}.items())), indent=1, ensure_ascii=False) + "\n"
        )
    else:
        # A case may need a package or a version of torch that is not here.
        assert {name: kept for name, kept in stored[table].items() if name in found} == found


ON_TORCH_2_6 = {
    # Torch 2.6 slices every dimension, also where all of it is taken.
    ("test_backward", "slice"),
    # Torch 2.6 detaches the table once more before it limits its rows.
    ("test_weighted_losses", "limited rows"),
}
"""Cases whose records are others on torch 2.6; their work is the same."""


@pytest.fixture
def fallbacks(monkeypatch):
    """The functions of the latest trace that no declaration describes, as the dispatcher is slower."""
    kept = []

    class Watched(Recorder):
        def __enter__(self):
            kept[:] = [self]
            return super().__enter__()

    monkeypatch.setattr(importlib.import_module("resflops.tracing.trace"), "Recorder", Watched)
    return lambda: kept[0].fallbacks


@pytest.mark.parametrize("table", TABLES)
def test_every_case_does_the_work_that_is_stored(table, trace_style, fallbacks):
    works, records = {}, {}
    for name, case in runpy.run_path(str(HERE / f"{table}.py"))["CASES"].items():
        trace = trace_style("eager", *case)
        cost = price(trace, FLOPS, backward=True)
        forward, *backward = map(write, (cost.work, cost.backward.input_work, cost.backward.weight_work))
        works[name] = f"{forward}; for inputs {backward[0]}; for weights {backward[1]}"
        records[name] = [write_record(op) for op in trace.ops]
        records[name] += [f"{function} was not described" for function in fallbacks()]
        if torch.__version__.startswith("2.6.") and (table, name) in ON_TORCH_2_6:
            del records[name]
    compare_with_stored(STORED, table, works)
    compare_with_stored(STORED_RECORDS, table, records)
