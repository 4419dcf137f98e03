"""The journal of a sweep: what is kept, and what it says."""

import subprocess
import sys

import pytest

from resflops.errors import FileError
from resflops.sweeps.cases import Outcome
from resflops.sweeps.journal import Journal


def make_outcome(number, failure="", *, seconds=1.0, **row):
    return Outcome(number=number, label=f"model {number}", row=row, failure=failure, seconds=seconds)


def test_rows_come_in_the_order_of_the_cases_and_the_last_entry_counts():
    journal = Journal.open(None)
    journal.add([make_outcome(2, macs=20), make_outcome(0, "trace", reason="no")])
    journal.add([make_outcome(1, macs=10**30)])
    journal.add([make_outcome(0, macs=5)])
    assert list(journal.rows()) == [{"macs": 5}, {"macs": 10**30}, {"macs": 20}]
    assert journal.find(0, 1) == {0: ("model 0", ""), 1: ("model 1", "")}


def test_the_summary_counts_failures_by_kind_and_lists_the_slowest():
    journal = Journal.open(None)
    journal.add(make_outcome(number, "input", seconds=number) for number in range(2))
    journal.add([make_outcome(2, "trace", seconds=9.0), make_outcome(3, complete=False, seconds=4.0)])
    journal.add([make_outcome(4, complete=True, seconds=0.5)])
    summary = journal.summarize(slowest=2)
    assert (summary.rows, summary.incomplete) == (5, 1)
    assert summary.failures == {"input": 2, "trace": 1}
    assert summary.slowest == (("model 2", 9.0), ("model 3", 4.0))


def test_it_is_there_when_it_is_opened_again(tmp_path):
    path = tmp_path / "zoo.csv.sweep"
    first = Journal.open(path)
    first.describe("about it")
    first.add([make_outcome(0, macs=1)])
    first.close()
    again = Journal.open(path)
    assert (again.about, list(again.rows())) == ("about it", [{"macs": 1}])
    again.remove()
    assert list(tmp_path.iterdir()) == []


_ADD_AND_DIE = """
import os, signal, sys
from pathlib import Path
from resflops.sweeps.cases import Outcome
from resflops.sweeps.journal import Journal
journal = Journal.open(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    journal.add([Outcome(number=number, label="", row={"macs": number})])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_added_survives_a_kill(tmp_path):
    path = tmp_path / "zoo.csv.sweep"
    subprocess.run([sys.executable, "-c", _ADD_AND_DIE, str(path), "7"], check=False)
    assert [row["macs"] for row in Journal.open(path).rows()] == list(range(7))


def test_no_two_sweeps_write_to_one(tmp_path):
    path = tmp_path / "zoo.csv.sweep"
    first = Journal.open(path)
    with pytest.raises(FileError, match="another sweep is writing to"):
        Journal.open(path)
    first.close()
    Journal.open(path).close()


@pytest.mark.parametrize("content", [b"spec,macs\n", b"SQLite format 3\0" + bytes(100), b"\0" * 5000])
def test_another_file_is_not_touched(tmp_path, content):
    path = tmp_path / "zoo.csv.sweep"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"could not use|was not written by a sweep"):
        Journal.open(path)
    assert path.read_bytes() == content
