"""The backward pass beside the forward pass, in the tables and on the command line."""

import json

import pytest
import torch
from msgspec.structs import replace
from torch import nn

import resflops
from resflops.cli import main
from resflops.cost.convention import CONVENTIONS
from resflops.ops import OPS
from resflops.render import Screen, find_renderer
from resflops.render.formats import format_note
from resflops.sources import find
from resflops.sources.counting import count_model
from resflops.tables.breakdown import build_breakdown
from resflops.tables.comparison import Entry, Failed, build_comparison
from resflops.tables.training import TRAINING_FIGURES

RESNET34, STEM = 3_663_761_408, 118_013_952


def counted(spec, *, convention="macs", backward=True):
    found = find(spec)
    return count_model(
        found, input_shape=(1, *found.input_shape), convention=CONVENTIONS[convention], backward=backward
    )


def headings(table):
    return [column.heading for column in table.columns if column.audience != "programs"]


def said(table):
    return "\n".join(format_note(note) for note in table.notes)


def test_the_comparison_has_forward_backward_and_both():
    table = build_comparison([Entry(cost=counted("resnet34"))])
    (row,) = table.rows
    assert (row["macs"], row["backward_macs"]) == (RESNET34, 2 * RESNET34 - STEM)
    assert (row["backward_input_macs"], row["backward_weight_macs"]) == (RESNET34 - STEM, RESNET34)
    assert row["training_total"] == row["total"] + row["backward_total"] == 3 * RESNET34 - STEM
    assert {"forward MACs", "backward MACs", "both MACs"} <= set(headings(table))
    assert "Loss, optimiser and recomputation are not counted" in said(table)


def test_the_comparison_fits_a_terminal_of_80_columns():
    table = build_comparison([Entry(cost=counted("resnet34")), Entry(cost=counted("vgg19"))])
    text = find_renderer("terminal").render(table, on=Screen(width=80))
    assert max(map(len, text.splitlines())) <= 80
    assert "58,809,483,264" in text


def test_without_it_nothing_is_said_of_a_backward_pass():
    table = build_comparison([Entry(cost=counted("resnet20", backward=False))])
    assert not {column.key for column in table.columns} & set(TRAINING_FIGURES)
    assert "MACs" in headings(table)
    assert "ackward" not in said(table)


def test_a_model_that_could_not_be_counted_has_none_of_the_figures():
    table = build_comparison([Entry(cost=counted("resnet20")), Failed(model="broken", reason="it broke")])
    assert [row["training_total"] is None for row in table.rows] == [False, True]


def test_an_incomplete_backward_pass_is_a_lower_bound():
    class Cumulated(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, x):
            return torch.logcumsumexp(self.inner(x), 0)

    cost = resflops.count(Cumulated(), (4, 4), backward=True)
    (row,) = build_comparison([Entry(cost=cost)]).rows
    assert (row["complete"], row["backward_complete"], row["training_complete"]) == (True, False, False)
    assert (
        "Cumulated, backward, is incomplete (≥): these ops have no gradient rule: logcumsumexp (1 call"
        in said(build_comparison([Entry(cost=cost)]))
    )


@pytest.mark.parametrize("depth", [None, 1, 2])
@pytest.mark.parametrize("convention", ["macs", "flops"])
def test_the_backward_pass_stands_below_the_layers_and_adds_up(depth, convention):
    cost = counted("resnet20", convention=convention)
    below = build_breakdown(cost, depth=depth).below[-1]
    assert below.name == "backward"
    for figure in ("input_macs", "weight_macs", "macs", "input_total", "weight_total", "total"):
        assert sum(row[figure] for row in below.rows) == below.total[figure] == getattr(cost.backward, figure)


def test_rows_that_cost_nothing_are_for_programs():
    cost = counted("resnet20")
    below = build_breakdown(cost).below[-1]
    assert {row["op"] for row in below.list_shown_rows()} == {"conv2d", "linear"}
    assert build_breakdown(cost, everything=True).below[-1].hidden == frozenset()


def test_the_command_takes_training(capsys):
    assert main(["table", "--models", "resnet20", "--training", "--format", "json", "--no-progress"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    # The stem's input, 3x32x32, needs no gradient.
    assert row["backward_macs"] == row["backward_total"] == 2 * row["macs"] - 32 * 32 * 16 * 27
    assert row["training_total"] == row["macs"] + row["backward_macs"]


def test_the_layers_command_takes_training(capsys):
    assert main(["layers", "resnet20", "--training", "--format", "json", "--no-progress"]) == 0
    rows = json.loads(capsys.readouterr().out)["backward"]
    assert (rows[-1]["name"], rows[-1]["input_macs"], rows[-1]["weight_macs"]) == ("fc", 640, 640)


def test_a_convention_that_says_nothing_of_it_is_refused_at_once(capsys):
    assert (
        main(["table", "--models", "resnet20", "--training", "--convention", "formula", "--no-progress"]) == 2
    )
    assert (
        "'formula' does not define the cost of a backward pass; these do: macs, flops"
        in capsys.readouterr().err
    )


def test_strict_asks_for_a_complete_backward_pass_too(capsys, monkeypatch):
    monkeypatch.setitem(OPS, "conv2d", replace(OPS["conv2d"], gradient=None))
    given = ["table", "--models", "resnet20", "--strict", "--no-progress"]
    assert main(given) == 0
    assert main([*given, "--training"]) == 1
