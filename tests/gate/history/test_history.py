"""What ``resflops history`` says of a small repository: each change of cost by its commit and layer, to the MAC."""

import json
import subprocess
from pathlib import Path

import pytest

from resflops.cli import main

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *IDENTITY, *words], cwd=folder, check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return done.stdout.strip()


def commit(folder: Path, subject: str, **files: str) -> str:
    """Commit files, given by their names without .py, and give the hash of the commit."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", subject)
    return git(folder, "rev-parse", "HEAD")


CONFIG = """
[models.net]
spec = "nets.py:Net"
input = "1x3x32x32"
[models.head]
spec = "heads.py:Head"
input = "1x8"
"""
BLOCKS = """
from torch import nn
def conv(before, after, kernel=3):
    return nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
"""
NET = """
from torch import nn
from blocks import conv
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv(3, 8)
        self.body = conv(8, 8)
    def forward(self, x):
        return self.body(self.stem(x))
"""
HEAD = """
from torch import nn
def Head():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
"""
STEM = 32 * 32 * 8 * (3 * 3 * 3)
BODY = 32 * 32 * 8 * (3 * 3 * 8)
LARGER_BODY = 32 * 32 * 8 * (5 * 5 * 8)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The repository, and the hashes of its commits by their subjects."""
    folder = tmp_path_factory.mktemp("repository")
    git(folder, "init", "-q", "-b", "main")
    (folder / "resflops.toml").write_text(CONFIG, encoding="utf-8")
    commits = {"first": commit(folder, "first", blocks=BLOCKS, nets=NET, heads=HEAD)}
    git(folder, "tag", "v1.0")
    larger = NET.replace("conv(8, 8)", "conv(8, 8, 5)")
    for subject, files in {
        "a comment": {"blocks": f"{BLOCKS}# nothing else\n"},
        "larger body": {"nets": larger},
        "broken": {"blocks": BLOCKS.replace("nn.Conv2d", "nn.Conv2D")},
        "repaired": {"blocks": BLOCKS},
        "smaller again": {"nets": NET},
        "more outputs": {"heads": HEAD.replace("16, 4", "16, 5")},
    }.items():
        commits[subject] = commit(folder, subject, **files)
    return folder, commits


def read_history(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert main(["history", *words, "--format", "json", "--no-progress"]) == 0
    return json.loads(capsys.readouterr().out)


def list_steps(document: dict) -> list[tuple]:
    return [
        (row["model"], row["subject"], row["layer"], row["macs_change"], row["params_change"])
        for row in document["rows"]
        if row["event"] == "step"
    ]


STEPS = [
    ("net", "larger body", "body", LARGER_BODY - BODY, (25 - 9) * 64),
    ("net", "smaller again", "body", BODY - LARGER_BODY, (9 - 25) * 64),
    ("head", "more outputs", "2", 16, 17),
]


def test_each_step_is_named_by_commit_and_layer_to_the_mac(repository, capsys, monkeypatch) -> None:
    folder, commits = repository
    monkeypatch.chdir(folder)
    document = read_history(capsys, "v1.0..HEAD")
    assert list_steps(document) == STEPS
    assert [row["hash"] for row in document["rows"] if row["event"] == "step"] == [
        commits["larger body"], commits["smaller again"], commits["more outputs"]
    ]  # fmt: skip
    macs = [row["macs"] for row in document["rows"] if row["model"] == "net"]
    small, large = STEM + BODY, STEM + LARGER_BODY
    assert macs == [small, small, large, None, large, small, small]
    (failed,) = (row for row in document["rows"] if row["event"] == "failed")
    assert failed["subject"] == "broken"
    assert "has no attribute 'Conv2D'" in failed["reason"]
    # The same again, and nothing is counted for it.
    assert document["counted"] == 8
    again = read_history(capsys, "v1.0..HEAD")
    assert again["counted"] == 0
    assert again["rows"] == document["rows"]
    assert git(folder, "status", "--short") == ""
    assert len(git(folder, "worktree", "list").splitlines()) == 1
