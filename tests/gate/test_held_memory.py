"""Memory in the gate: what is locked of it, what a budget allows, and which layers a change is blamed on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from resflops.cli import main
from resflops.gate.config import read_config
from resflops.gate.lockfile import read_lock

NET = """
from torch import nn

def net(width=8):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 4, 3, padding=1),
        nn.Flatten(), nn.Linear(256, 10),
    )
"""
CONFIG = """
[models.net]
spec = "net.py:net"
input = "1x3x8x8"
budget = { peak_memory = "17208", training_memory = "1MiB" }
"""

INPUT, OF_CONV, OF_RELU, SECOND, LINEAR = 4 * 3 * 64, 4 * 8 * 27 + 4 * 8, 4 * 8 * 64, 4 * 4 * 73, 4 * 2570
PEAK = INPUT + OF_CONV + 2 * OF_RELU + SECOND + LINEAR
"""While the ReLU runs: all weights, the input, and what the first convolution and the ReLU make."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    (tmp_path / "resflops.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def lock(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock"]) == 0
    capsys.readouterr()


def check(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    status = main(["check", *options])
    return status, capsys.readouterr().out


def test_a_budget_of_exactly_the_peak_passes_and_one_byte_less_fails(project: Path, capsys) -> None:
    assert PEAK == 17_208
    lock(capsys)
    assert check(capsys)[0] == 0
    edit(project / "resflops.toml", '"17208"', '"17207"')
    status, said = check(capsys, "--format", "github")
    assert status == 1
    assert "peak memory (bytes) is 17,208; the budget is 17,207 (17207)" in said
    # The linear layer's weights are the most of it.
    assert f"most memory: 4 holds {LINEAR:,} bytes at the peak" in said


def test_the_lock_has_what_each_layer_holds_and_it_adds_up(project: Path, capsys) -> None:
    lock(capsys)
    locked = read_lock(project / "resflops.lock").snapshots["net"]
    assert locked.peak_memory == PEAK
    assert {line.layer: line.peak_memory for line in locked.memory} == {
        "0": OF_CONV + OF_RELU, "1": OF_RELU, "2": SECOND, "4": LINEAR, "": INPUT,
    }  # fmt: skip
    assert locked.memory_metrics == ("peak_memory", "training_memory")
    before = (project / "resflops.lock").read_bytes()
    assert main(["lock", "--check"]) == 0
    assert (project / "resflops.lock").read_bytes() == before


def test_a_widened_layer_raises_the_peak_and_is_named(project: Path, capsys) -> None:
    lock(capsys)
    edit(project / "net.py", "width=8", "width=32")
    status, said = check(capsys, "--format", "json")
    table = json.loads(said)
    assert status == 1
    rows = {row["metric"]: row for row in table["rows"]}
    assert rows["peak_memory"]["verdict"] == "over lock and budget"
    assert rows["training_memory"]["verdict"] == "over lock"
    blamed = [row for row in table["memory_changes"] if row["metric"] == "peak_memory"]
    assert blamed[0] == {
        "model": "net", "metric": "peak_memory", "layer": "0", "new_name": "",
        "before": OF_CONV + OF_RELU, "after": 4 * (OF_CONV + OF_RELU), "change": 3 * (OF_CONV + OF_RELU),
    }  # fmt: skip
    assert sum(row["change"] for row in blamed) == rows["peak_memory"]["change"]
    said = check(capsys, "--format", "markdown")[1]
    assert "Layers that hold more or less at the peak" in said


def test_another_resolution_cannot_be_compared_but_is_held_to_the_budget(project: Path, capsys) -> None:
    lock(capsys)
    edit(project / "resflops.toml", "1x3x8x8", "4x3x8x8")
    status, said = check(capsys, "--format", "json")
    rows = {row["metric"]: row for row in json.loads(said)["rows"]}
    assert status == 1
    assert rows["peak_memory"]["verdict"] == "over budget"
    assert rows["training_memory"]["verdict"] == "input changed"


def test_a_lock_without_memory_is_checked_and_says_what_to_do(project: Path, capsys) -> None:
    edit(project / "resflops.toml", "budget", "# budget")
    lock(capsys)
    assert "schema_version = 1\n" in (project / "resflops.lock").read_text(encoding="utf-8")
    edit(project / "resflops.toml", "# budget", "budget")
    status, said = check(capsys, "--all")
    assert status == 0
    assert "within budget" in said
    assert "lock does not have the memory of net yet" in said
    assert "resflops lock net, and commit resflops.lock." in " ".join(said.split())


def test_a_renamed_block_is_not_blamed(project: Path, capsys) -> None:
    edit(project / "net.py", "return nn.Sequential(\n", "return nn.Sequential(nn.Identity(),\n")
    lock(capsys)
    edit(project / "net.py", "nn.Identity(),\n", "\n")
    status, said = check(capsys, "--format", "json")
    assert status == 0
    assert "memory_changes" not in json.loads(said)


def test_two_revisions_differ_by_the_layer_that_grew(project: Path, capsys) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    edit(project / "net.py", "width=8", "width=32")
    capsys.readouterr()
    assert main(["diff", "--rev", "HEAD", "--memory", "--format", "json"]) == 0
    table = json.loads(capsys.readouterr().out)
    rows = {row["metric"]: row for row in table["rows"]}
    assert (rows["peak_memory"]["before"], rows["peak_memory"]["after"]) == (PEAK, 35_640)
    assert table["memory_changes"][0]["layer"] == "0"


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        ('peak_memory = "2Gib/s"', "must be a size such as 24G"),
        ('peak_memory = "2QB"', "unknown unit 'QB'"),
        ("peak_memory = 0", "at least 1 byte"),
        ('peak_memory = ">=2GiB"', "is not an upper limit"),
        ('memory = "2GiB"', "closest: peak_memory"),
    ],
)
def test_a_bad_size_is_told_with_its_line_and_nothing_is_written(project: Path, capsys, budget, says) -> None:
    edit(project / "resflops.toml", 'peak_memory = "17208"', budget)
    assert main(["lock"]) == 2
    said = capsys.readouterr().err
    assert "resflops.toml:5: models.net.budget" in said
    assert says in said
    assert "Traceback" not in said
    assert not (project / "resflops.lock").exists()


@pytest.mark.parametrize(
    ("setting", "metrics"),
    [
        ("", ()),
        ("memory = true", ("peak_memory", "training_memory")),
        ('tolerance = { training_memory = "+1MiB" }', ("training_memory",)),
        ('budget = { peak_memory = "2GiB" }', ("peak_memory",)),
    ],
)
def test_only_the_memory_that_is_asked_for_is_worked_out(project: Path, setting, metrics) -> None:
    (project / "resflops.toml").write_text(f'[models.net]\nspec = "resnet18"\n{setting}\n', encoding="utf-8")
    assert read_config(project / "resflops.toml").models["net"].memory_metrics == metrics


def test_a_check_of_memory_imports_no_torch(project: Path) -> None:
    (project / "resflops.toml").write_text(
        '[models.net]\nspec = "resnet18"\nmemory = true\n', encoding="utf-8"
    )
    program = (
        "import sys\nfrom resflops.cli import main\nassert main(['lock']) == 0\nassert main(['check']) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


@pytest.mark.parametrize("model", ["resnet18", "vgg19"])
def test_a_stored_trace_and_a_new_one_lock_the_same_memory(project: Path, capsys, model) -> None:
    (project / "resflops.toml").write_text(
        f'memory = true\n[models.net]\nspec = "{model}"\n', encoding="utf-8"
    )
    lock(capsys)
    assert main(["lock", "--check", "--fresh"]) == 0
