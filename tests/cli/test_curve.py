"""``resflops curve`` counts along a variable, states the law, and says what was refused."""

import json
from pathlib import Path

import pytest

from resflops.cli import main
from resflops.cli.commands import COMMANDS

NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.fc = nn.Linear(width, 10)
    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))

class Stopped(nn.Module):
    def __init__(self, depth):
        super().__init__()
        if depth == 4:
            # As Ctrl-C does while a model is built.
            raise KeyboardInterrupt
        self.layers = nn.Sequential(*(nn.Linear(3, 3) for _ in range(depth)))
    def forward(self, x):
        return self.layers(x)

def given(width):
    return Net(width), torch.zeros(2, 3, 8, 8)
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS, encoding="utf-8")


def run(capsys, line, *words, status=0):
    assert main(["curve", *line.split(), *words, "--no-progress"]) == status
    return capsys.readouterr().out


def read(capsys, line, *, status=0):
    return json.loads(run(capsys, line, "--format", "json", status=status))


SIDES = "nets.py:Net --input 1x3x8x8 --over side=4..9"


def test_the_points_and_the_law_are_written(capsys):
    document = read(capsys, SIDES)
    assert (document["convention"], document["variable"]) == ("macs", "side")
    assert [(row["value"], row["total"], row["rise"]) for row in document["points"]] == [
        (4, 472, None), (5, 1012, 540), (6, 1012, 0), (7, 1768, 756), (8, 1768, 0), (9, 2740, 972),
    ]  # fmt: skip
    total, params = document["laws"]
    assert total == {
        "model": "nets.py:Net", "figure": "total", "text": "108·⌈side/2⌉² + 40",
        "pieces": [[
            {"coefficient": "108", "factors": [{"divisor": 2, "shift": 1, "power": 2}]},
            {"coefficient": "40", "factors": []},
        ]],
        "fitted": 5, "verified": 1, "first": 4, "last": 9, "stride": 1,
    }  # fmt: skip
    assert params["text"] == "162"
    assert [row["law"] for row in document["points"]] == [row["total"] for row in document["points"]]


def test_people_are_told_the_law_what_it_was_held_against_and_the_steps(capsys):
    text = " ".join(run(capsys, SIDES).split())
    assert (
        "nets.py:Net: MACs = 108·⌈side/2⌉² + 40, exact on all 6 counted points (side 4 to 9): found from 5, held "
        "against 1 other."
    ) in text
    assert "⌈side/2⌉ 5, 7, 9 2 108·⌈side/2⌉²" in text
    assert "8 9 +972 +54.98 % ⌈side/2⌉" in text
    assert "from one counted value to the next, the MACs change 3 of 5 times." in text


def test_training_has_a_law_of_the_backward_pass(capsys):
    document = read(capsys, f"{SIDES} --training")
    assert [law["figure"] for law in document["laws"]] == ["total", "params", "backward"]
    row = document["points"][0]
    # The image needs no gradient; the weights of both layers do, and what comes out of the convolution.
    assert (row["backward"], row["training"]) == (432 + 40 + 40, 472 + 512)


def test_an_option_of_a_factory_is_varied_with_its_parameters(capsys):
    document = read(capsys, "nets.py:given --over width=1..5")
    assert [law["text"] for law in document["laws"]] == ["884·width", "38·width + 10"]
    assert document["points"][1]["spec"] == "nets.py:given,width=2"
    assert document["points"][1]["input"] == "2x3x8x8"


def test_the_batch_of_what_a_factory_gives_is_varied(capsys):
    assert read(capsys, "nets.py:given,width=4 --over batch=1..4")["laws"][0]["text"] == "1,768·batch"


def test_several_models_are_compared(capsys):
    document = read(capsys, "Small=resnet20 resnet32 --over batch=1,2,4")
    assert [(law["model"], law["text"]) for law in document["laws"] if law["figure"] == "total"] == [
        ("Small", "40,551,040·batch"),
        ("resnet32", "68,862,592·batch"),
    ]
    assert "Small" in run(capsys, "Small=resnet20 resnet32 --over batch=1,2,4")


def test_of_many_points_people_are_shown_some_and_programs_all(capsys):
    line = "nets.py:Net --input 1x3x8x8 --over batch=1..60"
    text = run(capsys, line)
    assert "24 of 60 points are shown" in text
    assert "59 " not in text
    assert len(read(capsys, line)["points"]) == 60
    assert "\n   59 " in run(capsys, line, "--all")


def test_refused_values_are_rows_or_a_note(capsys):
    document = read(capsys, "nets.py:Net --over width=0.5,1,2,3 --input 1x3x8x8")
    refused, *counted = document["points"]
    assert (refused["value"], refused["total"]) == (0.5, None)
    assert "could not be built" in refused["error"]
    assert [row["total"] for row in counted] == [442, 884, 1326]
    text = " ".join(run(capsys, "nets.py:Net --over width=0.5,1..60 --input 1x3x8x8").split())
    assert "nets.py:Net refuses 1 of 61 values (1/2): nets.py:Net,width=0.5 could not be built" in text


def test_what_was_counted_before_an_interrupt_is_shown(capsys):
    text = " ".join(run(capsys, "nets.py:Stopped --input 1x3 --over depth=1..9", status=130).split())
    assert "MACs = 9·depth, exact on all 3 counted points (depth 1 to 3)" in text
    assert "was interrupted: 6 values not counted" in text


def test_an_interrupt_before_anything_was_counted_shows_nothing(capsys):
    assert run(capsys, "nets.py:Stopped --input 1x3 --over depth=4..9", status=130) == ""


def test_a_picture_and_a_page_are_written(capsys):
    run(capsys, f"{SIDES} --picture curve.svg --html page.html")
    assert "</svg>" in Path("curve.svg").read_text(encoding="utf-8")
    light = Path("curve.svg").read_bytes()
    run(capsys, f"{SIDES} --picture curve.svg --dark")
    assert Path("curve.svg").read_bytes() != light
    assert "108·⌈side/2⌉² + 40" in Path("page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["curve.csv", "curve.md", "curve.tex", "curve.html", "curve.json", "curve.tsv"]
)
def test_every_format_is_written(capsys, name):
    run(capsys, f"{SIDES} --out {name}")
    assert "2740" in Path(name).read_text(encoding="utf-8").replace(",", "").replace("{}", "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("resnet20", "curve needs what is varied and its values; give --over"),
        ("--over side=1..3", "no models are given"),
        ("resnet20 --over side", "must say what is varied and its values"),
        ("resnet20 --over side=9..3", "the range 9..3 is empty"),
        ("resnet20 --over side=0..3", "side must be a whole number of at least 1, got 0"),
        (
            "resnet20 --over seq=1..3",
            "1x3x32x32, has no length of a sequence, so it has no seq; vary its side or its",
        ),
        (
            "nets.py:Net --input 2x8 --over side=1..3",
            "2x8, has no height and width, so it has no side; vary its seq",
        ),
        (
            "nets.py:Net --over side=1..3",
            "its side cannot be set; give the shape, with the batch, as in --input",
        ),
        ("resnet20 --over num_clases=1..3", "resnet20 has no option 'num_clases'; it has shortcut"),
        ("resnet20 --over num_clases=1..3", "closest: num_classes"),
        ("resnet20 --over resolution=32,64", "the sizes of the input are side, batch, seq; closest: side"),
        ("resnet20 --over sied=32,64", "the sizes of the input are side, batch, seq; closest: side"),
        ("resnet21 --over side=32,64", "no model named 'resnet21'; closest: resnet32"),
        ("resnet20 --over side=32,64 --input 16 32", "one input can be given here, got 2"),
        (
            "resnet20 --over side=32,64 --convention thop --training",
            "does not define the cost of a backward pass",
        ),
        (
            "resnet20 --over side=32,64 --picture a.gif",
            "--picture a.gif: the file must end in .svg or .png or .pdf",
        ),
        ("nets.py:Net --input 1x3x8x8 --over width=0.5", "nets.py:Net,width=0.5 could not be built"),
    ],
)
def test_what_cannot_be_done_is_one_message(capsys, line, message):
    assert main(["curve", *line.split(), "--no-progress"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("resflops:") == 1
    assert "Traceback" not in err


def test_a_model_that_fails_is_said_and_the_others_are_shown(capsys):
    assert main(["curve", "resnet20", "resnet21", "--over", "batch=1..3", "--no-progress"]) == 1
    out, err = capsys.readouterr()
    assert "40,551,040·batch" in out
    assert "could not count resnet21: no model named 'resnet21'" in err


def test_models_of_a_pattern_may_fail_and_are_said_in_one_line(capsys):
    # VGG pools five times, which leaves nothing of so small an image.
    assert main(["curve", "*1[168]", "--over", "side=8..12", "--no-progress"]) == 0
    out, err = capsys.readouterr()
    assert "resnet18" in out
    assert "could not count 2 models of a pattern; the first, vgg11: none of 5 values of side" in err
    assert err.count("resflops:") == 1


def test_the_command_is_listed_after_memory():
    assert list(COMMANDS).index("curve") == list(COMMANDS).index("memory") + 1


def test_latex_sets_the_brackets_of_sizes(capsys):
    run(capsys, f"{SIDES} --out law.tex")
    text = Path("law.tex").read_text(encoding="utf-8")
    assert r"108$\cdot$$\lceil$side/2$\rceil$\textsuperscript{2} + 40" in text
