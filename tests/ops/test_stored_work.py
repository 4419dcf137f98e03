"""The work of every case, forward and for each gradient, as it is stored: no formula changes unnoticed.

A formula that is meant to change changes its line in ``stored.json``, which
``RESFLOPS_STORE=1 python -m pytest tests/ops/test_stored_work.py`` writes anew.
"""

import json
import os
import runpy
from pathlib import Path

import pytest

from resflops.cost import price
from resflops.cost.convention import FLOPS

HERE = Path(__file__).parent
STORED = HERE / "stored.json"
TABLES = sorted(path.stem for path in HERE.glob("test_*.py") if "\nCASES = {" in path.read_text())


def write(work):
    """The kinds of work that there are, as text that a reader of a change can follow."""
    return ", ".join(f"{count} {kind}" for kind, count in work.kinds() if count) or "none"


@pytest.mark.parametrize("table", TABLES)
def test_every_case_does_the_work_that_is_stored(table, trace_style):
    found = {}
    for name, case in runpy.run_path(str(HERE / f"{table}.py"))["CASES"].items():
        cost = price(trace_style("eager", *case), FLOPS, backward=True)
        forward, *backward = map(write, (cost.work, cost.backward.input_work, cost.backward.weight_work))
        found[name] = f"{forward}; for inputs {backward[0]}; for weights {backward[1]}"
    stored = json.loads(STORED.read_text())
    if os.environ.get("RESFLOPS_STORE"):
        STORED.write_text(json.dumps(dict(sorted({**stored, table: found}.items())), indent=1) + "\n")
    else:
        # A case may need a package or a version of torch that is not here.
        assert {name: work for name, work in stored[table].items() if name in found} == found


def test_every_table_is_stored():
    assert sorted(json.loads(STORED.read_text())) == TABLES
