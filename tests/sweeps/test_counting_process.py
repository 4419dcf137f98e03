"""The process that counts: what it gives, and what becomes of models that hang, end it or take memory."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import resflops
from resflops.errors import ModelError
from resflops.sweeps.cases import Batch, Case, Limits, SweepOptions
from resflops.sweeps.counting_process import CountingProcess, Workers
from tests.sweeps.models import MODELS


@pytest.fixture(scope="module")
def workers():
    made = Workers()
    yield made
    made.close()


def make_batch(*specs, **limits):
    return Batch(
        cases=tuple(Case(number=place, name=spec, spec=spec) for place, spec in enumerate(specs)),
        options=SweepOptions(),
        limits=Limits(**limits),
        folder=str(Path.cwd()),
    )


def test_it_gives_what_a_count_gives(workers):
    first, second = workers.count(make_batch("resnet20", f"{MODELS}:make_linear,width=16"))
    assert first.row["macs"] == resflops.count("resnet20", (1, 3, 32, 32)).macs
    assert second.row["macs"] == 64


def test_models_that_raise_are_rows(workers):
    outcomes = workers.count(
        make_batch(f"{MODELS}:fail", f"{MODELS}:exit_early", "nothing", "resnet20,depth=3", "resnet20")
    )
    assert [each.failure for each in outcomes] == ["model", "model", "unknown model", "spec", ""]
    assert "ValueError: no luck today" in outcomes[0].row["reason"]


def test_models_that_hang_or_end_the_process_are_rows_and_the_rest_is_counted(workers):
    batch = make_batch(f"{MODELS}:hang", f"{MODELS}:leave", "resnet20", f"{MODELS}:crash", seconds=5)
    hung, left, counted, crashed = workers.count(batch)
    assert (hung.failure, hung.row["reason"]) == ("time limit", "it took more than 5 seconds")
    assert left.failure == crashed.failure == "crash"
    assert left.row["reason"].startswith("the process that counted it ended: exit status 7")
    assert crashed.row["reason"].startswith("the process that counted it ended: signal SIGKILL")
    assert (counted.failure, counted.row["macs"]) == ("", resflops.count("resnet20", (1, 3, 32, 32)).macs)


def test_a_model_that_takes_too_much_memory_is_a_row(workers):
    (outcome,) = workers.count(make_batch(f"{MODELS}:eat", memory=1_500_000_000))
    assert outcome.failure == "memory limit"
    assert "more than 1,500,000,000" in outcome.row["reason"]


def test_it_ends_when_the_one_who_started_it_is_gone():
    program = (
        "import os, signal\n"
        "from resflops.sweeps.counting_process import CountingProcess\n"
        "print(CountingProcess(os.getcwd())._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    until = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_one_that_cannot_start_says_why(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ModelError, match="could not be started: exit status 1"):
        CountingProcess(str(Path.cwd()))


def test_no_more_are_started_when_the_sweep_has_ended():
    workers = Workers()
    workers.close()
    with pytest.raises(ModelError, match="the sweep has ended"):
        workers.count(make_batch("resnet20"))
