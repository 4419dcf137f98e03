"""lock, check and diff on the command line: what they write, and that bad input is told and harms nothing."""

import csv
import io
import json
import random
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch

import resflops
from resflops.cli import main

NET = """
import torch
from torch import nn

def net(width=8, unknown=False):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, width, 3, padding=1)
            self.fc = nn.Linear(width, 4)
        def forward(self, x):
            x = self.conv(x).mean((2, 3))
            return self.fc(torch.special.bessel_j0(x) if unknown else x)
    return Net()
"""

CONFIG = """
[models.net]
spec = "net.py:net"
input = "1x3x8x8"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    (tmp_path / "resflops.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


@pytest.fixture
def locked(project: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["lock"]) == 0
    capsys.readouterr()
    return project


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_lock_writes_and_says_what(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock"]) == 0
    macs = 8 * 8 * 8 * 27 + 8 * 4
    assert capsys.readouterr() == (
        f"net: {macs:,} MACs, 260 parameters\nwrote resflops.lock; commit it\n", ""
    )  # fmt: skip
    assert main(["lock"]) == 0
    assert capsys.readouterr().out == "resflops.lock is unchanged: the models cost what is locked\n"
    edit(project / "net.py", "width=8", "width=6")
    assert main(["lock"]) == 0
    now = 8 * 8 * 6 * 27 + 6 * 4
    assert capsys.readouterr().out.startswith(f"net: was {macs:,} MACs, now {now:,} MACs, 196 parameters\n")


def test_a_model_that_config_dropped_is_dropped_by_lock(
    locked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(locked / "resflops.toml", "models.net", "models.other")
    assert main(["check"]) == 2
    assert "has the model 'net', but resflops.toml does not" in capsys.readouterr().err
    assert main(["lock"]) == 0
    assert "net: dropped, since resflops.toml no longer names it" in capsys.readouterr().out


def test_locking_one_model_leaves_the_others(locked: Path) -> None:
    with (locked / "resflops.toml").open("a", encoding="utf-8") as file:
        file.write('[models.second]\nspec = "net.py:net,width=4"\ninput = "1x3x8x8"\n')
    edit(locked / "net.py", "width=8", "width=6")
    assert main(["lock", "second"]) == 0
    assert main(["check", "second"]) == 0
    assert main(["check", "net"]) == 0  # cheaper
    assert main(["lock", "--check", "net"]) == 1


def test_help_shows_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--help"]) == 0
    assert "[tool.resflops]" in " ".join(capsys.readouterr().out.split())


BAD = {
    "no-config": (lambda folder: (folder / "resflops.toml").unlink(), "no models are configured"),
    "no-toml": (lambda folder: edit(folder / "resflops.toml", "[", "[["), "is not valid TOML"),
    "mistakes": (lambda folder: edit(folder / "resflops.toml", "input", "inptu"), "models.net.inptu: there is no such key"),
    "no-lock": (lambda folder: (folder / "resflops.lock").unlink(), "there is no lock file resflops.lock"),
    "truncated": (
        lambda folder: (folder / "resflops.lock").write_text((folder / "resflops.lock").read_text()[:300]),
        "resflops.lock is cut off or was edited manually",
    ),
    "edited": (lambda folder: edit(folder / "resflops.lock", "params = 260", "params = 261"), "layers add up to 260"),
    "merging": (
        lambda folder: edit(folder / "resflops.lock", "params = 260", "<<<<<<< HEAD\nparams = 260\n=======\n"),
        "is in the middle of a merge (<<<<<<< in line",
    ),
    "newer": (
        lambda folder: edit(folder / "resflops.lock", "schema_version = 1", "schema_version = 3"),
        "schema version 3, and this resflops reads versions 1 and 2; upgrade resflops",
    ),
    "no-longer-builds": (lambda folder: edit(folder / "net.py", "nn.Linear", "nn.Liner"), "model 'net': net.py:net could not be built"),
    "no-longer-imports": (lambda folder: edit(folder / "net.py", "import torch", "import trch"), "importing net.py raised ModuleNotFoundError"),
    "no-longer-runs": (lambda folder: edit(folder / "net.py", "nn.Linear(width", "nn.Linear(9"), "model 'net': net.py:net: Net on input"),
    "no-such-model": (lambda folder: edit(folder / "resflops.toml", "net.py:net", "resnet43"), "no model named 'resnet43'"),
    "not-locked-yet": (
        lambda folder: edit(folder / "resflops.toml", "[models.net]", '[models.second]\nspec = "vgg19"\n[models.net]'),
        "resflops.toml:2: the model 'second' is not locked yet",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_once_and_the_lock_is_left_alone(
    locked: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    spoil, says = BAD[name]
    spoil(locked)
    lock = locked / "resflops.lock"
    before = lock.read_bytes() if lock.exists() else None
    assert main(["check"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.startswith("resflops: ")
    assert "Traceback" not in err
    # What lock could mend it does not touch either, unless the mending is its very purpose.
    if name not in {"no-lock", "not-locked-yet"}:
        assert main(["lock"]) == 2
        assert says in capsys.readouterr().err
    assert (lock.read_bytes() if lock.exists() else None) == before
    assert not list(locked.glob(".resflops.lock.*"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("check nte", "has no model 'nte'; closest: net; it has net"),
        ("check --format junti", "closest: junit"),
        ("check --report x.docx", "its ending names no format"),
        ("check --report /nonexistent/x.md", "no folder /nonexistent"),
        ("check --config none.toml", "could not read"),
        ("table --models vgg19 --format junit", "no format named 'junit'"),
        ("diff net.py:net", "compares two things, got 1;"),
        ("diff resnet18 resnet43", "no model named 'resnet43'"),
        (
            "diff resflops.lock resflops.toml",
            "resflops.toml is not a lock file, a saved trace or a saved cost",
        ),
        ("diff resnet18 net.py", "the inputs of net.py are not known; give the shape of its input"),
        ("diff resnet18 none.json", "there is no file none.json"),
        ("check --out x.docx", "--out x.docx: its ending names no format; end it in one of "),
        ("diff --rev HEAD", "is not in a git repository\n"),
        ("diff --rev main..", "is not in a git repository"),
    ],
)
def test_a_mistaken_argument_is_named(
    locked: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    says: str,
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(locked.parent))
    assert main(arguments.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err


def test_a_model_that_fails_is_told_beside_others_that_fail(
    locked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (locked / "resflops.toml").write_text('[models]\na = "resnet43"\nb = "net.py:nut"\n', encoding="utf-8")
    assert main(["lock"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("resflops: model 'a': no model named 'resnet43'")
    assert second.startswith("model 'b': 'net.py:nut'")


def test_uncounted_ops_fail_the_check_unless_allowed(
    locked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(locked / "net.py", "unknown=False", "unknown=True")
    assert main(["lock"]) == 0
    assert "has no rule, and `resflops check` fails until it has one" in capsys.readouterr().err
    assert main(["check"]) == 1
    output = capsys.readouterr().out
    assert "net failed" in output
    op = output.partition("net: uncounted: ")[2].partition(" ")[0]
    with (locked / "resflops.toml").open("a", encoding="utf-8") as file:
        file.write(f'allow-uncounted = ["{op}"]\n')
    assert main(["check"]) == 0


@pytest.mark.parametrize(
    ("before", "after", "says", "verdict"),
    [
        ("1x3x8x8", "1x3x4x4", "its input 1×3×8×8 became 1×3×4×4", "input changed"),
        ('8x8"', '8x8"\ndtype = "bfloat16"', "its input float32 became bfloat16", "dtype changed"),
        ("input", 'convention = "flops"\ninput', "its convention macs became flops", "convention changed"),
    ],
    ids=["a smaller input", "dtype", "convention"],
)
def test_what_the_figures_stand_on_changes_by_a_new_lock_alone(
    locked: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, says: str, verdict: str
) -> None:
    edit(locked / "resflops.toml", before, after)
    assert main(["check"]) == 1
    out = capsys.readouterr().out
    assert f"net: {says}, so its figures cannot be compared with the lock" in out
    assert (
        "To lock what it costs now, if that is intended: resflops lock net, and commit resflops.lock." in out
    )
    assert verdict in out
    assert "cheaper" not in out.lower()
    assert "Layers" not in out
    assert main(["check", "--format", "github"]) == 1
    assert capsys.readouterr().out.count("::error") == 1
    assert main(["lock"]) == 0
    assert main(["check"]) == 0


def test_lock_warns_of_what_is_over_its_budget(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(locked / "resflops.toml", "input", 'budget = { macs = "13k", params = 260 }\ninput')
    assert main(["lock"]) == 0
    assert capsys.readouterr().err == (
        "resflops: net: MACs are 13,856, and the budget in resflops.toml:4 is 13,000; it is locked, but "
        "`resflops check` fails until the model is cheaper or the budget is raised\n"
    )


def test_a_broken_budget_names_layers_and_what_to_do(
    locked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(locked / "resflops.toml", "input", 'budget = { macs = "13k" }\ninput')
    assert main(["check"]) == 1
    out = capsys.readouterr().out
    assert (
        "Over budget, which a new lock does not change: make net cheaper, or raise the budget in resflops.toml."
        in " ".join(out.split())
    )
    table = out.partition("Most expensive layers of what is over budget\n")[2].splitlines()
    assert [line.split()[1] if line.startswith("MACs") else line.split()[0] for line in table[3:]] == [
        "conv",
        "fc",
    ]
    assert "Layers to blame" not in out
    assert "to accept" not in out.lower()
    assert main(["check", "--format", "github"]) == 1
    assert "%0Amost expensive: conv: 3×3×3→8 at 8×8, 13,824 MACs (99.8 %25)" in capsys.readouterr().out
    assert main(["check", "--format", "json"]) == 1
    (first, second) = json.loads(capsys.readouterr().out)["expensive_layers"]
    assert (first["layer"], first["metric"], first["amount"]) == ("conv", "macs", 13_824)
    assert (second["layer"], second["amount"]) == ("fc", 32)
    edit(locked / "net.py", "width=8", "width=9")
    assert main(["check"]) == 1
    out = capsys.readouterr().out
    assert "over lock and budget" in out
    assert "To accept what is over the lock: resflops lock net" in out
    assert "Layers to blame, the most expensive first" in out


@pytest.mark.parametrize(
    ("width", "title", "says"),
    [
        (
            9,
            "Layers to blame, the most expensive first",
            "To accept what is over the lock: resflops lock net",
        ),
        (
            7,
            "What got cheaper, the largest change first",
            "Cheaper than locked; to hold it to that: resflops lock net",
        ),
        (8, "", "Nothing to do: the models cost what is locked."),
    ],
)
def test_layers_are_blamed_only_where_something_is_over(
    locked: Path, capsys: pytest.CaptureFixture[str], width: int, title: str, says: str
) -> None:
    edit(locked / "net.py", "width=8", f"width={width}")
    main(["check"])
    out = capsys.readouterr().out
    assert says in out
    titles = ("Layers to blame", "What got cheaper", "Changed layers")
    assert [each for each in titles if each in out] == ([title.partition(",")[0]] if title else [])


def test_what_passes_is_not_listed_beside_layers_to_blame(
    locked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (locked / "resflops.toml").open("a", encoding="utf-8") as file:
        file.write('[models.second]\nspec = "net.py:net,width=4"\ninput = "1x3x8x8"\n')
    assert main(["lock"]) == 0
    edit(locked / "net.py", "width=8", "width=9")
    edit(locked / "resflops.toml", "width=4", "width=3")
    capsys.readouterr()
    assert main(["check"]) == 1
    out = capsys.readouterr().out
    assert (
        "The changed layers of second are not listed, since nothing there is over; --all shows them."
        in " ".join(out.split())
    )
    assert "3×3×3→9" in out
    assert "3×3×3→3" not in out
    assert main(["check", "--all"]) == 1
    out = capsys.readouterr().out
    assert "Changed layers, the largest change first" in out
    assert "3×3×3→3" in out


def test_an_incomplete_count_is_not_called_cheaper(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(locked / "net.py", "unknown=False", "unknown=True")
    edit(locked / "net.py", "width=8", "width=7")
    assert main(["check"]) == 1
    out = capsys.readouterr().out
    macs = next(line for line in out.splitlines() if line.startswith("net "))
    assert "≥" in macs
    assert macs.endswith("incomplete")
    with (locked / "resflops.toml").open("a", encoding="utf-8") as file:
        file.write('allow-uncounted = ["special_bessel_j0"]\n')
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    assert (
        "missing from the figures of net: they are lower bounds, and lower ones need not be cheaper"
        in " ".join(out.split())
    )
    assert "hold it to that" not in out
    assert "got cheaper" not in out


STOPPED = {
    "no-lock": ("resflops.toml", 1),
    "no-toml": ("resflops.toml", 2),
    "mistakes": ("resflops.toml", 4),
    "edited": ("resflops.lock", 1),
    "merging": ("resflops.lock", 11),
    "no-longer-builds": ("resflops.toml", 2),
    "not-locked-yet": ("resflops.toml", 2),
}
"""The file and the line to look at, for each way in which the check cannot run."""


@pytest.mark.parametrize("name", STOPPED)
def test_where_it_could_not_run_is_an_annotation_and_a_report(
    locked: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    spoil, says = BAD[name]
    spoil(locked)
    assert (
        main(["check", "--format", "github", "--report", "r.md", "--report", "r.xml", "--report", "r.json"])
        == 2
    )
    out, err = capsys.readouterr()
    path, line = STOPPED[name]
    annotation, title = out.splitlines()
    assert annotation.startswith(f"::error file={path},line={line},title=resflops check%3A could not run::")
    assert title == "Cost gate: could not run"
    assert says in err
    assert "**Cost gate: could not run**" in (locked / "r.md").read_text(encoding="utf-8")
    suite = ET.fromstring((locked / "r.xml").read_text(encoding="utf-8"))
    assert suite.attrib == {"tests": "1", "failures": "0", "errors": "1"}
    (problem,) = json.loads((locked / "r.json").read_text(encoding="utf-8"))["problems"]
    assert (problem["path"], problem["line"]) == (path, line)


def test_each_mistake_of_a_configuration_is_an_annotation_of_its_own(
    locked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(
        locked / "resflops.toml", "input", 'budget = { flops = "1G" }\ntolerance = { parameters = 1 }\ninptu'
    )
    assert main(["check", "--format", "github"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(",title")[0] for line in lines[:-1]] == [
        f"::error file=resflops.toml,line={line}" for line in (4, 5, 6)
    ]
    assert "flops is a convention; limit total, with convention = 'flops'" in lines[0]
    assert "closest: params" in lines[1]


def test_failures_in_junit_say_in_what_way(locked: Path) -> None:
    edit(locked / "resflops.toml", "input", 'budget = { macs = "13k" }\ninput')
    edit(locked / "net.py", "width=8", "width=9")
    assert main(["check", "--report", "r.xml"]) == 1
    suite = ET.fromstring((locked / "r.xml").read_text(encoding="utf-8"))
    assert [each.attrib["type"] for each in suite.iter("failure")] == ["over lock and budget", "over lock"]


def test_every_format_says_the_same(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(locked / "net.py", "width=8", "width=9")
    more = 8 * 8 * 27 + 4
    assert (
        main(["check", "--report", "a.md", "--report", "a.xml", "--report", "a.csv", "--out", "a.json"]) == 1
    )
    assert capsys.readouterr() == ("", "")
    assert f"+{more:,}" in (locked / "a.md").read_text(encoding="utf-8")
    suite = ET.fromstring((locked / "a.xml").read_text(encoding="utf-8"))
    assert suite.attrib == {"tests": "4", "failures": "2", "errors": "0"}
    messages = [failure.attrib["message"] for failure in suite.iter("failure")]
    assert [f"+{more:,}" in messages[0], "+32" in messages[1]] == [True, True]
    assert "conv: 3×3×3→8 became 3×3×3→9" in next(suite.iter("failure")).text
    document = json.loads((locked / "a.json").read_text(encoding="utf-8"))
    assert not document["passed"]
    assert sum(change["macs"] for change in document["changes"]) == more
    rows = list(csv.DictReader(io.StringIO((locked / "a.csv").read_text(encoding="utf-8"))))
    assert [row["change"] for row in rows] == [str(more), "32", "0"]
    assert main(["check", "--format", "github"]) == 1
    first, second, title = capsys.readouterr().out.splitlines()
    assert first.startswith("::error file=resflops.toml,line=2,title=net%3A MACs::net: MACs went from ")
    assert second.startswith("::error file=resflops.toml,line=2,title=net%3A parameters::")
    assert title == "Cost gate: net failed"
    edit(locked / "net.py", "width=9", "width=7")
    assert main(["check", "--format", "github"]) == 0
    assert capsys.readouterr().out.startswith("::notice file=resflops.toml,line=2,title=net%3A MACs::")


def test_diff_of_specs_locks_and_traces_is_the_same(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def difference(*things: str) -> list[dict]:
        assert main(["diff", *things, "--format", "json"]) == 0
        return json.loads(capsys.readouterr().out)["changes"]

    (locked / "resflops.lock").rename(locked / "before.lock")
    edit(locked / "resflops.toml", "net.py:net", "net.py:net,width=9")
    assert main(["lock"]) == 0
    capsys.readouterr()
    for width in (8, 9):
        resflops.trace(resflops.load(f"net.py:net,width={width}"), (1, 3, 8, 8)).save(f"{width}.json")
    of_specs = difference("net.py:net", "net.py:net,width=9", "--input", "1x3x8x8")
    of_locks = difference("before.lock", "resflops.lock")
    of_traces = difference("8.json", "9.json")
    assert [row["macs"] for row in of_specs] == [8 * 8 * 27, 4]
    for other in (of_locks, of_traces):
        assert [(row["layer"], row["macs"], row["params"]) for row in other] == [
            (row["layer"], row["macs"], row["params"]) for row in of_specs
        ]


def test_diff_of_locks_shows_models_that_only_one_has(
    locked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (locked / "resflops.lock").rename(locked / "before.lock")
    with (locked / "resflops.toml").open("a", encoding="utf-8") as file:
        file.write('[models.new]\nspec = "net.py:net,width=4"\ninput = "1x3x8x8"\n')
    assert main(["lock"]) == 0
    capsys.readouterr()
    assert main(["diff", "before.lock", "resflops.lock"]) == 0
    output = capsys.readouterr().out
    assert "net: no layer differs." in output
    assert f"{8 * 8 * 4 * 27 + 16:,}" in output


DRAWN = """
import random

from torch import nn

class Routed(nn.Module):
    def __init__(self):
        super().__init__()
        self.router, self.expert = nn.Linear(4, 256), nn.Linear(4, 4)

    def forward(self, x):
        for _ in range(int(self.router(x).argmax()) + 1):
            x = self.expert(x)
        return x

def routed(): return Routed(), (1, 4)
def deep(): return nn.Sequential(*(nn.Linear(4, 4) for _ in range(random.randint(1, 100)))), (1, 4)
"""

DRAWN_CONFIG = """
[models]
routed = "drawn.py:routed"
deep = "drawn.py:deep"
"""


@pytest.fixture
def drawn(project: Path) -> Path:
    (project / "drawn.py").write_text(DRAWN, encoding="utf-8")
    (project / "resflops.toml").write_text(DRAWN_CONFIG, encoding="utf-8")
    return project


def test_a_model_that_depends_on_random_weights_passes_each_time(
    drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lock"]) == 0
    locked = (drawn / "resflops.lock").read_bytes()
    for _ in range(10):
        # As in a process of its own, which starts from seeds of the system.
        random.seed()
        torch.seed()
        assert main(["check"]) == 0
    assert main(["lock", "deep"]) == 0
    assert main(["lock", "--check"]) == 0
    assert (drawn / "resflops.lock").read_bytes() == locked
    assert b"seed" not in locked
    capsys.readouterr()


def test_a_verdict_says_which_models_depend_on_values(
    drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lock"]) == 0
    told = capsys.readouterr().err
    assert main(["check", "--format", "json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"][1:]
    assert notes[0].startswith(
        "routed: run for real on the CPU, since shapes alone do not determine its path"
    )
    assert notes[1:] == [
        "routed: it was run on input 0: given without values, taken as zeros.",
        "routed: it was built and run from a fixed seed, so that each count takes the same path.",
        "deep: its constructor draws random numbers from Python; they have a fixed seed.",
    ]
    assert told == "".join(f"resflops: {note}\n" for note in notes)
    assert main(["diff", "drawn.py:routed", "drawn.py:routed"]) == 0
    out = capsys.readouterr().out
    assert out.count("drawn.py:routed: it was built and run from a fixed seed") == 1
