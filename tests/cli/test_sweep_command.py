"""``resflops sweep`` as a process: its file, what it prints, kills and bad input."""

import csv
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from importlib.util import find_spec

import pytest

from resflops.cli import main

MODELS = """
import time
from torch import nn

def spaced(count=60):
    for width in range(1, count + 1):
        yield f"width {width}", lambda width=width: make(width)

def make(width):
    time.sleep(0.2)
    return nn.Linear(4, width), (1, 4)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("sweep")
    (made / "space.py").write_text(MODELS)
    return made


def start(folder, *arguments):
    command = [sys.executable, "-m", "resflops", "sweep", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_rows(process, journal):
    """Wait until a sweep has written some rows, and is counting more."""
    while process.poll() is None:
        time.sleep(0.05)
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(f"file:{journal}?mode=ro&immutable=1", uri=True)) as opened,
        ):
            if opened.execute("SELECT count(*) FROM entries").fetchone()[0] >= 2:
                return


def run(folder, *arguments):
    process = start(folder, *arguments)
    out, err = process.communicate()
    return process.returncode, out, err


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_zoo_in_one_file(folder):
    (folder / "list.txt").write_text("resnet20  # the smallest\n\nresnet1*,num_classes=10\n")
    status, out, err = run(
        folder, "resnet32", "nope", "--from", "list.txt", "--input", "3x64x64", "--convention", "macs", "flops",
        "--out", "zoo.csv", "--workers", "1",
    )  # fmt: skip
    rows = read(folder / "zoo.csv")
    named = [row["spec"] for row in rows]
    assert named[:3] == ["resnet32", "nope", "resnet20"]
    assert "resnet18,num_classes=10" in named
    assert all(int(row["flops"]) > int(row["macs"]) > 0 for row in rows if not row["failure"])
    lines = out.splitlines()
    assert lines[0] == f"zoo.csv: {len(rows)} rows, {len(rows) - 1} with figures, 1 failed"
    assert lines[1].startswith(f"counted now: {len(rows)} in ")
    assert lines[2].startswith("failed: 1 unknown model; ")
    assert lines[3].startswith("slowest: ")
    assert status == 1
    assert err.startswith("resflops: could not count nope 3x64x64: no model named 'nope'")
    assert (folder / "zoo.csv.sweep").exists()


def test_a_kill_at_any_moment_loses_nothing_that_was_done(folder):
    models = ("resnet??", "--input", "3x32x32", "3x64x64", "3x96x96", "--workers", "1", "--fresh")
    assert run(folder, *models, "--out", "whole.csv")[0] == 0
    assert not (folder / "whole.csv.sweep").exists()
    process = start(folder, *models, "--out", "killed.csv")
    wait_for_rows(process, folder / "killed.csv.sweep")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / "killed.csv").exists()
    status, out, _ = run(folder, *models, "--out", "killed.csv", "--resume")
    assert status == 0
    assert "21 rows, 21 with figures" in out
    assert "counted now: 21 " not in out
    assert (folder / "killed.csv").read_bytes() == (folder / "whole.csv").read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is another thing there")
def test_an_interrupt_writes_what_is_done(folder):
    process = start(folder, "space.py:spaced", "--out", "stopped.csv", "--workers", "1")
    wait_for_rows(process, folder / "stopped.csv.sweep")
    # A shell lets what it runs in the background ignore Ctrl-C; SIGTERM ends a command alike.
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    rows = read(folder / "stopped.csv")
    assert process.returncode == 130
    assert 0 < len(rows) < 60
    assert [int(row["macs"]) for row in rows] == [4 * width for width in range(1, len(rows) + 1)]
    assert out.startswith(f"stopped.csv: {len(rows)} rows")
    assert err == (
        "resflops: interrupted; stopped.csv.sweep has what is done, and --resume goes on with it\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--out", "a.csv"], "no models are given; name what to sweep over"),
        (["resnet20"], "no file is given; say what to write with --out"),
        (["resnet20", "--out", "a.xlsx"], "--out a.xlsx: the file must end in .csv, "),
        (["resnet20", "--out", "nowhere/a.csv"], "there is no folder nowhere"),
        (["resnet20", "--out", "a.csv", "--workers", "0"], "--workers must be a whole number of at least 1"),
        (["resnet20", "--out", "a.csv", "--resume"], "there is no a.csv.sweep"),
        (["--from", "none.txt", "--out", "a.csv"], "could not read none.txt"),
        (["resnet20", "--out", "a.csv", "--convention", "mac"], "no convention named 'mac'"),
        (["resnet20", "--out", "a.csv", "--convention", "macs", "flop"], "closest: flops"),
        (["resnet20", "--out", "a.csv", "--dtype", "float8"], "unknown dtype 'float8'; closest: float"),
    ],
)
def test_bad_input_gets_one_message(folder, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(folder)
    status = main(["sweep", *arguments])
    check_refused(folder, (status, *capsys.readouterr()), says)


# In a process of its own: Dask changes how errors are pickled.
@pytest.mark.skipif(find_spec("distributed") is None, reason="distributed is an extra")
def test_a_scheduler_that_does_not_answer_is_told(folder):
    done = run(folder, "resnet20", "--out", "a.csv", "--dask", "tcp://127.0.0.1:1")
    check_refused(folder, done, "there is no scheduler that answers")


def check_refused(folder, done, says):
    status, out, err = done
    assert (status, out) == (2, "")
    assert err.startswith("resflops: ")
    assert says in err
    assert err.count("\n") == 1
    assert not (folder / "a.csv").exists()
