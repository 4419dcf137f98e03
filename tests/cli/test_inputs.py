"""Inputs as people give them: several, with a batch beside them, and shapes in every usual spelling."""

import json

import pytest

from resflops.cli import main

OWN = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(48, 2)

    def forward(self, x):
        return self.head(x.flatten(1))


def with_shape():
    return Net(), (1, 3, 4, 4)


def with_tensors():
    return Net(), (torch.zeros(1, 3, 4, 4),)


class Two(nn.Module):
    def forward(self, a, b):
        return a @ b


def with_two():
    return Two(), ((2, 4), (4, 3))
"""


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN)
    return file


def read_rows(capsys, *arguments):
    assert main([*arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)["rows"]


def read_inputs(capsys, *arguments):
    return [(row["model"], row["input"]) for row in read_rows(capsys, *arguments)]


@pytest.mark.parametrize(
    "line",
    [
        "resnet20 --input 3x32x32 --input 3x64x64",
        "resnet20 --input 3x32x32 3x64x64",
        "--input 3x32x32 3x64x64 resnet20",
        "-i 3x32x32,3x64x64 resnet20",
        "-i 32 64 resnet20",
        "-i 3x32x32 3x64x64 3x32x32 resnet20",
    ],
)
def test_several_inputs_are_a_row_each_in_the_order_given(capsys, line):
    rows = read_rows(capsys, "table", *line.split())
    assert [(row["input"], row["macs"]) for row in rows] == [
        ("1x3x32x32", 40_551_040),
        ("1x3x64x64", 162_202_240),
    ]


@pytest.mark.parametrize(
    "text",
    ["3x64x64", "3,64,64", "3X64X64", "3×64×64", "3*64*64", "(3, 64, 64)", "[3,64,64]", "1x3x64x64",
     "torch.Size([1, 3, 64, 64])", "64", "64x64", "64,64"],
)  # fmt: skip
def test_a_shape_in_every_usual_spelling(capsys, text):
    assert read_inputs(capsys, "table", "resnet20", "--input", text) == [("resnet20", "1x3x64x64")]


def test_one_size_is_an_image_of_that_size_of_timms_and_torchvisions_models_too(capsys):
    assert read_inputs(capsys, "table", "torchvision/resnet18", "--input", "64") == [
        ("torchvision/resnet18", "1x3x64x64")
    ]
    assert read_inputs(capsys, "table", "timm/resnet18,in_chans=1", "--input", "64x32") == [
        ("timm/resnet18,in_chans=1", "1x1x64x32")
    ]


def test_one_size_is_the_length_of_a_text_where_a_model_takes_texts(capsys):
    arguments = ("table", "hf/gpt2,n_layer=1", "--input", "16")
    assert read_inputs(capsys, *arguments) == [("hf/gpt2,n_layer=1", "1x16")]


def test_a_batch_takes_the_place_of_the_inputs_batch(capsys):
    rows = read_rows(capsys, "table", "resnet20", "vgg19", "--batch", "1", "8")
    assert [(row["input"], row["macs"]) for row in rows] == [
        ("1x3x32x32", 40_551_040),
        ("8x3x32x32", 8 * 40_551_040),
        ("1x3x224x224", 19_632_062_464),
        ("8x3x224x224", 8 * 19_632_062_464),
    ]
    assert read_inputs(capsys, "table", "resnet20", "--input", "2x3x64x64", "--batch", "4,5") == [
        ("resnet20", "4x3x64x64"),
        ("resnet20", "5x3x64x64"),
    ]


@pytest.mark.parametrize(
    ("name", "more", "macs"),
    [
        ("with_shape", [], 4 * 96),
        ("with_tensors", [], 4 * 96),
        ("Net", ["--input", "1x3x4x4"], 4 * 96),
        # Of an image alone, three is no batch.
        ("Net", ["--input", "3x4x4"], 4 * 96),
    ],
)
def test_a_batch_is_put_into_the_inputs_of_a_models_factory(capsys, own, name, more, macs):
    (row,) = read_rows(capsys, "table", f"{own}:{name}", "--batch", "4", *more)
    assert (row["input"], row["macs"]) == ("4x3x4x4", macs)


def test_a_batch_that_cannot_be_told_in_a_factorys_inputs_is_refused(capsys, own):
    assert main(["table", f"{own}:with_two", "--batch", "4"]) == 2
    assert "its inputs do not all begin with the same size" in capsys.readouterr().err


def test_layers_and_diff_take_a_batch_and_one_input(capsys):
    assert main(["layers", "resnet20", "--batch", "8", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["input"] == "8x3x32x32"
    assert main(["diff", "resnet20", "resnet32", "--batch", "2"]) == 0
    assert "81,102,080" in capsys.readouterr().out
    for command in ("layers resnet20", "diff resnet20 resnet32"):
        assert main([*command.split(), "--batch", "1", "2"]) == 2
        assert "one input can be given here, got 2: batch 1; batch 2" in capsys.readouterr().err


def test_crosscheck_runs_counters_on_every_input(capsys):
    line = "crosscheck resnet20 --peers FlopCounterMode --input 32 64 --batch 2"
    rows = read_rows(capsys, *line.split())
    assert [(row["input"], row["macs"], row["unexplained"]) for row in rows] == [
        ("2x3x32x32", 2 * 40_551_040, 0),
        ("2x3x64x64", 324_404_480, 0),
    ]


def test_the_page_has_a_model_on_several_inputs(capsys, tmp_path):
    file = tmp_path / "page.html"
    assert main(["report", "--html", str(file), "resnet20", "--input", "32", "64"]) == 0
    page = file.read_text(encoding="utf-8")
    assert "resnet20 (1x3x32x32)" in page
    assert "resnet20 (1x3x64x64)" in page


def test_a_shape_without_its_side_is_refused_with_the_right_one(capsys):
    assert main(["table", "resnet20", "--input", "3x32"]) == 2
    assert "has 2 sizes, but resnet20 takes 3, as in 3x32x32, or with a batch 4" in capsys.readouterr().err
