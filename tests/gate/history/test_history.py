"""What ``resflops history`` says of a small repository: each change of cost by commit and layer, to the MAC."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resflops.cli import main

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
def repository(tmp_path_factory, repository_type):
    """The repository; its commits are found by their subjects."""
    made = repository_type(tmp_path_factory.mktemp("history") / "repository")
    made.commit("first", {"resflops.toml": CONFIG, "blocks.py": BLOCKS, "nets.py": NET, "heads.py": HEAD})
    made.git("tag", "v1.0")
    larger = NET.replace("conv(8, 8)", "conv(8, 8, 5)")
    made.commit("a comment", {"blocks.py": f"{BLOCKS}# nothing else\n"})
    made.commit("larger body", {"nets.py": larger})
    made.commit("broken", {"blocks.py": BLOCKS.replace("nn.Conv2d", "nn.Conv2D")})
    made.commit("repaired, and smaller again", {"blocks.py": BLOCKS, "nets.py": NET})
    made.git("switch", "-q", "-c", "branch")
    made.commit("more outputs", {"heads.py": HEAD.replace("16, 4", "16, 5")})
    made.commit("nothing", {"README.md": "words\n"})
    made.git("switch", "-q", "main")
    made.commit("larger again", {"nets.py": larger})
    made.git("merge", "-q", "--no-ff", "-m", "merge", "branch")
    return made


FIGURES = 9
"""How many figures there are to count: of the net, five, one of them a failure; the head has two."""

STEPS = [
    ("net", "larger body", "body", LARGER_BODY - BODY, (25 - 9) * 64),
    ("net", "repaired, and smaller again", "body", BODY - LARGER_BODY, (9 - 25) * 64),
    ("net", "larger again", "body", LARGER_BODY - BODY, (25 - 9) * 64),
]
OUTPUTS = ("2", 16, 17)


def list_steps(document: dict) -> list[tuple]:
    return [
        (row["model"], row["subject"], row["layer"], row["macs_change"], row["params_change"])
        for row in document["rows"]
        if row["event"] == "step"
    ]


def read_history(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert main(["history", *words, "--format", "json", "--no-progress"]) == 0
    return json.loads(capsys.readouterr().out)


def test_each_step_is_named_by_commit_and_layer_to_the_mac(repository, capsys, monkeypatch) -> None:
    monkeypatch.chdir(repository.folder)
    document = read_history(capsys, "v1.0..HEAD")
    assert list_steps(document) == [*STEPS, ("head", "merge", *OUTPUTS)]
    small, large = STEM + BODY, STEM + LARGER_BODY
    macs = [row["macs"] for row in document["rows"] if row["model"] == "net"]
    assert macs == [small, small, large, None, small, large, large]
    (failed,) = (row for row in document["rows"] if row["event"] == "failed")
    assert failed["subject"] == "broken"
    assert "has no attribute 'Conv2D'" in failed["reason"]
    # The step beside it is named by the range in which it must be.
    step = next(row for row in document["rows"] if row["subject"].startswith("repaired"))
    assert step["commit"] == f"{failed['commit']}…{step['hash'][: len(failed['commit'])]}"
    changes = [(row["model"], row["layer"], row["macs"]) for row in document["changes"]]
    assert changes == [(model, layer, change) for model, _, layer, change, _ in STEPS] + [("head", "2", 16)]
    assert repository.git("status", "--short") == ""
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_of_every_commit_a_merge_has_no_step_of_its_own(repository, capsys, monkeypatch) -> None:
    monkeypatch.chdir(repository.folder)
    document = read_history(capsys, "v1.0..HEAD", "--every-commit")
    assert sorted(list_steps(document)) == sorted([*STEPS, ("head", "more outputs", *OUTPUTS)])


def test_what_was_counted_is_not_counted_again(repository, capsys, monkeypatch) -> None:
    monkeypatch.chdir(repository.folder)
    first = read_history(capsys, "v1.0..HEAD")
    again = read_history(capsys, "v1.0..HEAD")
    assert again["counted"] == 0
    assert again["rows"] == first["rows"]
    assert read_history(capsys, "HEAD~3", "net")["counted"] == 0


MISCHIEF = """
import os, sys, time
from pathlib import Path
from torch import nn
print("it says something")
# What the other model, or a run at another commit, may have left behind.
assert not Path("left.py").exists()
Path("left.py").write_text("")
Path("nets.py").write_text("")
def writer(): return nn.Linear(8, 4)
def reader(): return nn.Linear(8, 5)
def crash(): os._exit(7)
def leave(): sys.exit("enough")
def hang(): time.sleep(100)
"""


def test_what_models_do_to_files_and_processes_stays_theirs(make_repository, capsys, monkeypatch) -> None:
    made = make_repository()
    before, after = ("writer", "crash", "leave", "reader"), ("hang", "writer", "reader")
    one, two = (
        "".join(f'[models.{name}]\nspec = "nets.py:{name}"\ninput = "1x8"\n' for name in names)
        for names in (before, after)
    )
    made.commit("one", {"resflops.toml": one, "nets.py": MISCHIEF})
    made.commit("two", {"resflops.toml": two, "nets.py": MISCHIEF.replace("8, 5", "8, 6")})
    monkeypatch.chdir(made.folder)
    document = read_history(capsys, "HEAD~1", "--workers", "1", "--time-limit", "3")
    macs = {
        name: [row["macs"] for row in document["rows"] if row["model"] == name]
        for name in ("writer", "reader")
    }
    assert macs == {"writer": [32, 32], "reader": [40, 48]}
    reasons = {row["model"]: row["reason"] for row in document["rows"] if row["event"] == "failed"}
    assert set(reasons) == {"crash", "leave", "hang"}
    assert reasons["hang"] == "it took longer than the time limit of 3 s"
    assert reasons["crash"] == "its process was lost, as when memory runs out or it crashes"
    assert "enough" in reasons["leave"]
    assert made.git("status", "--short") == ""
    assert (made.folder / "nets.py").read_text(encoding="utf-8") == MISCHIEF.replace("8, 5", "8, 6")


def start_history(repository, cache: Path, temporary: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "resflops", "history", "v1.0..HEAD", "--format", "json", "--workers", "1"]
    return subprocess.Popen(
        words,
        cwd=repository.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RESFLOPS_CACHE": str(cache), "TMPDIR": str(temporary)},
    )


def list_kept(cache: Path) -> list[Path]:
    return [path for path in cache.glob("traces/??/*") if len(path.name) == 62]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_an_interrupted_run_goes_on_where_it_was(repository, capsys, monkeypatch, tmp_path) -> None:
    cache, temporary = tmp_path / "cache", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.chdir(repository.folder)
    whole = read_history(capsys, "v1.0..HEAD")
    for number, (sign, most_left) in enumerate([(signal.SIGTERM, 0), (signal.SIGKILL, 1)], start=1):
        process = start_history(repository, cache, temporary)
        while len(list_kept(cache)) < 2 * number and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(sign)
        _, error = process.communicate()
        assert process.returncode == (130 if sign == signal.SIGTERM else -signal.SIGKILL)
        assert ("the same command goes on from here" in error) == (sign == signal.SIGTERM)
        # What SIGKILL leaves, the next run removes.
        assert len(list(temporary.glob("resflops-checkout-*"))) <= most_left
    kept = len(list_kept(cache))
    process = start_history(repository, cache, temporary)
    output, _ = process.communicate()
    document = json.loads(output)
    assert 0 < kept < FIGURES
    assert document["rows"] == whole["rows"]
    assert document["counted"] == len(list_kept(cache)) - kept
    assert list(temporary.glob("resflops-checkout-*")) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("v1.1", "git does not know the revision 'v1.1' here; closest: v1.0; in a shallow clone"),
        ("HEAD..v1.0", "there is no commit in HEAD..v1.0: "),
        ("HEAD..HEAD", "there is no commit in HEAD..HEAD: both are "),
        (
            "v1.0 nett",
            "no commit of the range configures a model 'nett'; closest: net; configured: net, head",
        ),
        ("v1.0 --workers 0", "--workers must be a whole number of at least 1, got '0'"),
        ("v1.0 --picture cost.txt", "the file must end in .svg or .png or .pdf"),
        ("v1.0 --html cost.pdf", "the file must end in .html or .htm"),
    ],
)
def test_a_mistake_is_one_message(repository, capsys, monkeypatch, words, says) -> None:
    monkeypatch.chdir(repository.folder)
    assert main(["history", *words.split(), "--no-progress"]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert message.count("\n") == 1


def test_a_range_of_nothing_is_told(repository, capsys, monkeypatch) -> None:
    monkeypatch.chdir(repository.folder)
    assert main(["history", ""]) == 2
    assert "the range '' names no revision; give one as in v1.0..HEAD" in capsys.readouterr().err


def test_a_folder_without_a_repository_or_a_configuration_is_told(
    make_repository, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resflops.toml").write_text(CONFIG, encoding="utf-8")
    assert main(["history", "v1.0"]) == 2
    assert f"{tmp_path} is not in a git repository" in capsys.readouterr().err
    (tmp_path / "resflops.toml").unlink()
    made = make_repository()
    made.commit("first", {"README.md": "words"})
    made.commit("second", {"README.md": "more words"})
    monkeypatch.chdir(made.folder)
    assert main(["history", "HEAD~1"]) == 2
    assert "no models are configured: there is neither resflops.toml nor" in capsys.readouterr().err
