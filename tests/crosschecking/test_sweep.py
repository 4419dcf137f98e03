"""A sample of the sweep of every peer; ``tests/benchmarks/crosscheck_sweep.py`` goes through all of it."""

import runpy
import sys
from pathlib import Path

import pytest

from resflops.crosschecking import select_peers

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def sweep():
    pytest.importorskip("torchvision")
    sys.path.insert(0, str(FOLDER))
    try:
        yield runpy.run_path(str(FOLDER / "crosscheck_sweep.py"))
    finally:
        sys.path.remove(str(FOLDER))


def test_every_peer_is_explained_on_a_network_that_resizes(sweep):
    rows = list(sweep["sweep"](["torchvision/lraspp_mobilenet_v3_large@3x64x64"], select_peers(None)))
    assert rows
    assert [
        (row.convention, row.failure, row.unexplained) for row in rows if row.failure or row.unexplained
    ] == []
    assert sweep["render"](rows) == (
        f"{len(rows)} figures of 1 models: {len(rows)} explained, 0 with a remainder, 0 failed"
    )


def test_what_cannot_be_built_is_a_row_that_says_why(sweep):
    (row,) = sweep["sweep"](["torchvision/no_such_network"], select_peers("FlopCounterMode"))
    assert row.figure is None
    assert "no_such_network" in row.failure


def test_a_file_keeps_the_last_row_of_each_model_and_convention(sweep, tmp_path):
    path = tmp_path / "rows.jsonl"
    assert sweep["read"](path) == {}
    line = (
        '{"model":"a","peer":"thop","version":"1","convention":"thop","figure":%d,"unexplained":0,'
        '"unexplained_params":0,"causes":{},"failure":"","uncounted":[]}\n'
    )
    path.write_text(line % 1 + line % 2)
    assert {key: row.figure for key, row in sweep["read"](path).items()} == {("a", "thop"): 2}
