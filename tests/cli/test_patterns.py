"""Patterns name many models; what becomes of each is a row."""

import json

import pytest

from resflops.cli import main

BROKEN = """
import torch
from torch import nn


def small():
    return nn.Linear(4, 4), (torch.zeros(1, 4),)


def spectral():
    class Spectral(nn.Module):
        def forward(self, x):
            return torch.special.bessel_j0(x)

    return Spectral(), (torch.zeros(1, 4),)


def broken():
    raise ValueError("no such thing")
"""


def read_rows(capsys, *arguments):
    assert main([*arguments, "--format", "json"]) == 0
    return {row["model"]: row for row in json.loads(capsys.readouterr().out)["rows"]}


def test_a_pattern_stands_for_every_network_that_matches(capsys):
    assert list(read_rows(capsys, "table", "--models", "resnet1?2", "vgg1[69]")) == [
        "resnet152",
        "vgg16",
        "vgg19",
    ]


def test_a_model_that_is_named_and_matched_is_one_row(capsys):
    assert list(read_rows(capsys, "table", "--models", "vgg19", "vgg1[69]")) == ["vgg19", "vgg16"]


def test_options_go_to_every_model_of_a_pattern(capsys):
    found = read_rows(capsys, "table", "--models", "resnet1[8]*,num_classes=10")
    assert [row["params"] for row in found.values()] == [11_181_642]


def test_a_pattern_without_a_match_is_refused(capsys):
    assert main(["table", "--models", "resnext9*"]) == 2
    assert "no model matches 'resnext9*'" in capsys.readouterr().err


def test_factories_are_named_one_by_one(capsys):
    assert main(["table", "--models", "nets.py:*"]) == 2
    assert "factories must be named one by one" in capsys.readouterr().err


def test_what_a_model_prints_is_not_in_the_table(capsys, tmp_path):
    nets = tmp_path / "nets.py"
    nets.write_text(f"{BROKEN}\n\ndef chatty():\n    print('hello')\n    return small()\n")
    assert main(["table", "--models", f"{nets}:chatty", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert [row["macs"] for row in json.loads(out)["rows"]] == [16]
    assert err.strip() == "hello"


def test_of_a_pattern_a_model_that_fails_is_a_row_that_says_so(capsys):
    found = read_rows(capsys, "table", "--models", "resnet20", "vgg1[16]", "--input", "3x16x16")
    assert found["resnet20"]["macs"] > 0
    assert found["vgg16"]["macs"] is None
    assert "features.30: max_pool2d: its window of 2 does not fit" in found["vgg16"]["error"]


def test_where_every_model_of_a_pattern_fails_there_is_no_table(capsys):
    assert main(["table", "--models", "vgg1[16]", "--input", "3x8x8"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "none of 2 models could be counted; the first: vgg11" in captured.err


@pytest.fixture
def factories(tmp_path):
    path = tmp_path / "factories_of_a_test.py"
    path.write_text(BROKEN)
    return path


def test_strict_makes_an_incomplete_count_a_failed_check(factories, capsys):
    assert main(["table", "--models", f"{factories}:small", "--strict"]) == 0
    assert main(["table", "--models", f"{factories}:spectral"]) == 0
    assert "≥" in capsys.readouterr().out
    assert main(["table", "--models", f"{factories}:spectral", "--strict"]) == 1
    captured = capsys.readouterr()
    assert "special_bessel_j0" in captured.out
    assert "--strict" in captured.err
    assert main(["layers", f"{factories}:spectral", "--strict"]) == 1


def test_a_model_that_is_named_by_itself_and_fails_is_a_row_too_and_a_failed_check(factories, capsys):
    assert main(["table", "--models", "resnet20", f"{factories}:broken", "--format", "json"]) == 1
    captured = capsys.readouterr()
    found = {row["model"]: row for row in json.loads(captured.out)["rows"]}
    assert found["resnet20"]["macs"] == 40_551_040
    assert "no such thing" in found[f"{factories}:broken"]["error"]
    assert captured.err == f"resflops: could not count {factories}:broken\n"
