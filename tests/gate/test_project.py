"""A project in a git repository, whose models change in six ways: what the gate says each time, to the MAC."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from resflops.cli import main

ROOT = Path(__file__).parents[2]

# One network under six names; the second commit changes each in its own way.
NETWORK = """
from torch import nn

def conv(before, after, **settings):
    return nn.Conv2d(before, after, 3, padding=1, bias=False, **settings)

class Block(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.conv1, self.conv2 = conv(16, width), conv(width, 16)
    def forward(self, x):
        return x + self.conv2(self.conv1(x).relu())

class Net(nn.Module):
    def __init__(self, blocks=2, stage="stage"):
        super().__init__()
        self.stem = conv(3, 16)
        setattr(self, stage, nn.Sequential(*(Block() for _ in range(blocks))))
        self.fc = nn.Linear(16, 10)
    def forward(self, x):
        stage = self.stage if hasattr(self, "stage") else self.trunk
        return self.fc(stage(self.stem(x)).mean((2, 3)))
"""

BEFORE = """
wider = deeper = renamed = larger = separable = same = Net
"""

AFTER = """
def wider():
    net = Net()
    net.stage[1] = Block(width=32)
    return net

def deeper():
    return Net(blocks=3)

def renamed():
    return Net(stage="trunk")

def separable():
    net = Net()
    net.stage[0].conv1 = nn.Sequential(conv(16, 16, groups=16), nn.Conv2d(16, 16, 1, bias=False))
    return net

larger = same = Net
"""

NAMES = ("wider", "deeper", "renamed", "larger", "separable", "same")

CONV = 32 * 32 * 16 * (3 * 3 * 16)
"""MACs of a convolution of 16 channels to 16, on 32×32."""
BASE = 32 * 32 * 16 * (3 * 3 * 3) + 4 * CONV + 16 * 10

CHANGE = {
    "wider": 2 * CONV,
    "deeper": 2 * CONV,
    "renamed": 0,
    "larger": (BASE - 160) * (48 * 48 - 32 * 32) // (32 * 32),
    "separable": 32 * 32 * 16 * (3 * 3) + 32 * 32 * 16 * 16 - CONV,
    "same": 0,
}

STEM = 32 * 32 * 16 * (3 * 3 * 3)
BLAMED = {
    "wider": [("changed", "stage.1.conv1", CONV), ("changed", "stage.1.conv2", CONV)],
    "deeper": [("added", "stage.2.conv1", CONV), ("added", "stage.2.conv2", CONV)],
    "renamed": [("renamed", "stage", 0)],
    "larger": [
        *(("changed", f"stage.{block}.conv{conv}", CONV * 5 // 4) for block in (0, 1) for conv in (1, 2)),
        ("changed", "stem", STEM * 5 // 4),
    ],
    "separable": [
        ("removed", "stage.0.conv1", -CONV),
        ("added", "stage.0.conv1.1", 32 * 32 * 16 * 16),
        ("added", "stage.0.conv1.0", 32 * 32 * 16 * (3 * 3)),
    ],
    "same": [],
}
"""The layers to blame and their MACs, the most expensive first."""

FAILING = {name for name, change in CHANGE.items() if change > 0}


def config(larger: str) -> str:
    models = "".join(
        f'[tool.resflops.models.{name}]\nspec = "nets.py:{name}"\n'
        f'input = "{larger if name == "larger" else "1x3x32x32"}"\n'
        for name in NAMES
    )
    return f'[project]\nname = "project"\n\n[tool.resflops]\nlock = "costs.lock"\n\n{models}'


TESTS = """
import pytest
import nets

@pytest.mark.parametrize("name", {names})
def test_cost(cost_gate, name):
    size = {larger} if name == "larger" else 32
    cost_gate(getattr(nets, name)(), (1, 3, size, size), lock=name)

def test_a_limit(cost_gate):
    cost_gate(nets.same(), (1, 3, 32, 32), macs="<=10M")
"""


def write(folder: Path, *, changed: bool) -> None:
    (folder / "nets.py").write_text(NETWORK + (AFTER if changed else BEFORE), encoding="utf-8")
    (folder / "pyproject.toml").write_text(config("1x3x48x48" if changed else "1x3x32x32"), encoding="utf-8")
    (folder / "test_nets.py").write_text(
        TESTS.format(names=NAMES, larger=48 if changed else 32), encoding="utf-8"
    )


def git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository: the first commit is locked, the second is not."""
    folder = tmp_path_factory.mktemp("project")
    git(folder, "init", "--quiet")
    write(folder, changed=False)
    locked = run_pytest(folder, "--resflops-lock")
    assert locked.returncode == 0, locked.stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "dont_write_bytecode", True)
        assert main(["lock"]) == 0
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "before")
    write(folder, changed=True)
    git(folder, "commit", "--quiet", "--all", "--message", "after")
    return folder


@pytest.fixture
def in_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return project


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "resflops.integrations.pytest_plugin", "-p", "no:cacheprovider", "-q",
         "--import-mode=prepend", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": "",
             "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


def list_blamed(document: dict, model: str) -> list[tuple[str, str, int]]:
    return [
        (row["change"], row["layer"], row["macs"]) for row in document["changes"] if row["model"] == model
    ]


def test_check_blames_the_layers_of_each_change(in_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    macs = {row["model"]: row for row in document["rows"] if row["metric"] == "macs"}
    assert {name: row["now"] for name, row in macs.items()} == {
        name: BASE + change for name, change in CHANGE.items()
    }
    assert {name for name, row in macs.items() if not row["passed"]} == FAILING
    assert {name: list_blamed(document, name) for name in NAMES} == BLAMED


def test_check_says_what_to_do(in_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "wider", "separable", "renamed"]) == 1
    output = capsys.readouterr().out
    assert "wider failed, 1 of 3 models" in output
    assert re.search(r"stage\.1\.conv1 +3×3×16→16 +3×3×16→32 +\+2,359,296 +\+2,304\n", output)
    assert "To accept what is over the lock: resflops lock wider, and commit costs.lock." in output
    assert (
        "Cheaper than locked; to hold it to that: resflops lock separable, and commit costs.lock." in output
    )
    assert "not quite what is locked; to renew costs.lock: resflops lock renamed." in output


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FAILING])
def test_what_is_not_dearer_passes(in_project: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["check", name]) == 0


def test_lock_check_fails_where_anything_changed(
    in_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (in_project / "costs.lock").read_bytes()
    assert main(["lock", "--check"]) == 1
    assert "out of date: wider, deeper, renamed, larger, separable;" in capsys.readouterr().err
    assert main(["lock", "--check", "same"]) == 0
    assert (in_project / "costs.lock").read_bytes() == before


def test_diff_of_two_revisions_blames_the_same_layers(
    in_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (in_project / "uncommitted").write_text("work in progress", encoding="utf-8")
    assert main(["diff", "--rev", "HEAD~..HEAD", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    macs = {row["model"]: row for row in document["rows"] if row["metric"] == "macs"}
    assert {name: row["change"] for name, row in macs.items()} == CHANGE
    assert {name: list_blamed(document, name) for name in NAMES} == BLAMED
    # Neither a worktree nor anything else is left behind.
    assert len(git(in_project, "worktree", "list").splitlines()) == 1
    assert git(in_project, "status", "--short") == "?? uncommitted\n"
    (in_project / "uncommitted").unlink()


def test_diff_of_one_revision_compares_the_work_tree(
    in_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    committed = (in_project / "nets.py").read_text(encoding="utf-8")
    try:
        (in_project / "nets.py").write_text(committed.replace("blocks=3", "blocks=4"), encoding="utf-8")
        assert main(["diff", "--rev", "HEAD~1", "--format", "json"]) == 0
        document = json.loads(capsys.readouterr().out)
    finally:
        (in_project / "nets.py").write_text(committed, encoding="utf-8")
    # Both what was committed since, and what was not.
    changes = {row["model"]: row["change"] for row in document["rows"] if row["metric"] == "macs"}
    assert changes == CHANGE | {"deeper": 4 * CONV}
    assert document["notes"][-1].endswith(" to the work tree.")
    assert git(in_project, "status", "--short") == ""


@pytest.mark.parametrize(
    ("revisions", "says"),
    [
        (
            "",
            "--rev '' names no revision; give two to compare, as in main..HEAD, or one to compare the work tree",
        ),
        ("nope..HEAD", "git does not know the revision 'nope' here; in a shallow clone fetch it first"),
        ("--output=x..HEAD", "git does not know the revision '--output=x' here"),
    ],
)
def test_a_revision_that_is_none_is_told(
    in_project: Path, capsys: pytest.CaptureFixture[str], revisions: str, says: str
) -> None:
    assert main(["diff", f"--rev={revisions}"]) == 2
    assert says in capsys.readouterr().err


def test_a_model_that_a_revision_cannot_build_is_told_with_the_revision(
    in_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", "--rev", "HEAD~..HEAD", "nets.py:larch"]) == 2
    output = capsys.readouterr().err
    assert re.search(r"at [0-9a-f]+ \(before\): model 'nets.py:larch': .* has no 'larch'", output)
    assert len(git(in_project, "worktree", "list").splitlines()) == 1


def test_the_plugin_fails_the_same_models_and_names_the_layers(project: Path) -> None:
    done = run_pytest(project)
    failed = set(re.findall(r"^FAILED test_nets.py::test_cost\[(\w+)\]", done.stdout, re.MULTILINE))
    assert failed == FAILING
    assert f"stage.1.conv1: 3×3×16→16 became 3×3×16→32, +{CONV:,} MACs, +2,304 parameters" in done.stdout
    assert f"stage.2.conv1 added: 3×3×16→16 at 32×32, +{CONV:,} MACs" in done.stdout
    assert "larger: its input 1×3×32×32 became 1×3×48×48" in done.stdout
    assert f"MACs went from {BASE:,} to {BASE + 2 * CONV:,} (+{2 * CONV:,}" in done.stdout
    assert (
        "to accept the new cost, run `pytest --resflops-lock` and commit resflops-tests.lock" in done.stdout
    )


def test_the_hooks_run_as_written(in_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    check, lock = (hook["entry"].split() for hook in hooks)
    assert check[0] == lock[0] == "resflops"
    assert all(
        re.search(hook["files"], name)
        for hook in hooks
        for name in ("nets.py", "pyproject.toml", "costs.lock")
    )
    assert main([*check[1:], "nets.py"]) == 1
    assert "wider, deeper, larger failed" in capsys.readouterr().out
    # What the one fails on, the other leaves to it; what is cheaper or renamed is its own to say.
    assert main([*lock[1:], "nets.py"]) == 1
    assert "out of date: renamed, separable;" in capsys.readouterr().err
    assert main(["lock", "--after-check", "wider", "same"]) == 0
    assert "up to date, but for what `resflops check` fails on: wider" in capsys.readouterr().out


def test_a_change_of_other_files_counts_nothing(in_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("check", "lock --after-check"):
        assert main([*command.split(), "--changed", "test_nets.py", "none.py"]) == 0
        assert capsys.readouterr().out == "none of the changed files can change a configured model\n"


def test_what_keeps_the_check_from_running_is_left_to_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resflops.toml").write_text('[models]\nnet = "resnet20"\n', encoding="utf-8")
    assert main(["check"]) == 2
    assert "there is no lock file" in capsys.readouterr().err
    assert main(["lock", "--after-check"]) == 0
    assert (
        "left to `resflops check`, which could not run either: there is no lock file"
        in capsys.readouterr().err
    )
    assert main(["lock", "--check"]) == 2


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a git checkout")
def test_our_own_models_are_as_locked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["check"]) == 0
    assert main(["lock", "--check"]) == 0
