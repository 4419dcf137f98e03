"""Sweeps from their models to their rows: going on after a stop, and what keeps one from another."""

import json
import os
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

import resflops
from resflops.errors import InputError, UsageError
from resflops.sweeps.sweep import name_journal
from tests.sweeps.models import MODELS, make_linear

LINEARS = [(f"width {width}", partial(make_linear, width)) for width in range(1, 6)]


def figures(sweep):
    return [(row["name"], row["input"], row["macs"]) for row in sweep]


def test_every_model_on_every_input_is_a_row():
    zoo = resflops.sweep(
        ["resnet20", "Ours=resnet32"], inputs=[(3, 32, 32), (3, 64, 64)], batches=[1, 2], workers=1
    )
    expected = [
        (name, f"{batch}x3x{side}x{side}", resflops.count(spec, (batch, 3, side, side)).macs)
        for name, spec in (("resnet20", "resnet20"), ("Ours", "resnet32"))
        for side in (32, 64)
        for batch in (1, 2)
    ]
    assert figures(zoo) == expected
    assert repr(zoo) == "Sweep(8 rows, 0 failed)"
    frame = zoo.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame.macs.tolist() == [macs for _, _, macs in expected]
    assert str(frame.macs.dtype) == "Int64"


def test_search_spaces_and_what_makes_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = [f"{MODELS}:mixed", *LINEARS[:2], lambda: make_linear(9)]
    zoo = resflops.sweep(given, inputs=None, workers=1)
    assert [row["macs"] for row in zoo if not row["failure"]] == [
        resflops.count("resnet18", (1, 3, 224, 224)).macs,
        resflops.count("resnet20", (1, 3, 32, 32)).macs,
        20,
        4,
        8,
        36,
    ]
    (failed,) = [row for row in zoo if row["failure"]]
    assert (failed["name"], failed["failure"]) == ("module", "input")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A sweep that was never stopped."""
    path = tmp_path_factory.mktemp("whole") / "zoo.csv"
    resflops.sweep(LINEARS, workers=1, out=path)
    return path.read_bytes()


def test_one_that_was_stopped_goes_on_and_gives_the_same_bytes(tmp_path, done):
    path = tmp_path / "zoo.csv"

    def stop():
        yield from LINEARS[:3]
        raise KeyboardInterrupt

    stopped = resflops.sweep(stop(), workers=1, out=path)
    kept = len(stopped)
    assert stopped.interrupted
    assert len(path.read_bytes().splitlines()) == 1 + kept
    with pytest.raises(
        UsageError, match=r"zoo\.csv\.sweep has \d rows of an earlier sweep; --resume goes on"
    ):
        resflops.sweep(iter(LINEARS), workers=1, out=path)
    resumed = resflops.sweep(iter(LINEARS), workers=1, out=path, resume=True)
    assert (len(resumed), resumed.counted) == (5, 5 - kept)
    assert path.read_bytes() == done


def test_another_search_space_is_not_mixed_with_the_one_before(tmp_path):
    path = tmp_path / "zoo.csv"
    resflops.sweep(LINEARS[:2], workers=1, out=path)
    with pytest.raises(UsageError, match="row 0 was 'width 1' in the sweep before, and now is 'width 2'"):
        resflops.sweep(LINEARS[1:], workers=1, out=path, resume=True)
    with pytest.raises(
        UsageError, match=r"its inputs was .*null.*, and now is .*3.*rows of both do not belong"
    ):
        resflops.sweep(LINEARS, inputs=[(3, 4)], workers=1, out=path, resume=True)
    again = resflops.sweep(LINEARS[1:], workers=1, out=path, restart=True)
    assert [row["name"] for row in again] == ["width 2", "width 3", "width 4", "width 5"]


def test_those_that_failed_are_counted_again_when_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, path = tmp_path / "net.py", tmp_path / "zoo.jsonl"
    source.write_text("def make():\n    raise ValueError('not yet')\n")
    first = resflops.sweep(["net.py:make", "resnet20"], workers=1, out=path)
    assert first.summary.failures == {"model": 1}
    source.write_text("from torch import nn\ndef make():\n    return nn.Linear(4, 2), (1, 4)\n")
    assert resflops.sweep(["net.py:make", "resnet20"], workers=1, out=path, resume=True).counted == 0
    retried = resflops.sweep(["net.py:make", "resnet20"], workers=1, out=path, retry_failed=True)
    assert (retried.counted, retried.summary.failures) == (1, {})
    assert json.loads(path.read_text().splitlines()[0])["macs"] == 8


def test_what_cannot_be_is_refused_before_anything_is_counted(tmp_path):
    with pytest.raises(InputError, match="inputs must be shapes"):
        resflops.sweep("resnet20", inputs=["3x32x32"])
    with pytest.raises(UsageError, match="give it as out="):
        resflops.sweep("resnet20", resume=True)
    with pytest.raises(UsageError, match=r"there is no .*zoo\.csv\.sweep"):
        resflops.sweep("resnet20", out=tmp_path / "zoo.csv", resume=True)
    assert list(tmp_path.iterdir()) == []


def test_one_that_fails_before_its_first_row_leaves_nothing(tmp_path):
    path = tmp_path / "zoo.csv"
    with pytest.raises(UsageError, match="item 0 is of the type int"):
        resflops.sweep([3], workers=1, out=path)
    assert list(tmp_path.iterdir()) == []


def test_the_journal_lies_beside_the_file(tmp_path):
    assert name_journal(tmp_path / "zoo.csv") == tmp_path / "zoo.csv.sweep"


_EXECUTORS = """
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib.util import find_spec
import resflops
from tests.sweeps.models import MODELS

def count(executor):
    print([row["macs"] for row in resflops.sweep(f"{MODELS}:spread,count=5", executor=executor)])

if __name__ == "__main__":
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(1) as processes:
        count(threads)
        count(processes)
    # An extra.
    if find_spec("distributed"):
        import distributed

        local = {"processes": False, "n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
        with distributed.Client(**local) as client:
            count(client.get_executor(pure=False))
"""


def run_program(tmp_path, program):
    """Run a program of its own: executors leave threads and processes, and Dask changes how errors are pickled."""
    path = tmp_path / "program.py"
    path.write_text(program, encoding="utf-8")
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_any_executor_counts_and_so_does_dask(tmp_path):
    executors = 3 if find_spec("distributed") else 2
    assert run_program(tmp_path, _EXECUTORS) == ["[4, 8, 12, 16, 20]"] * executors
