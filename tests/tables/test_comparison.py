"""The comparison: exact figures, published ones beside them, and what is said under the table."""

from functools import cache
from typing import Any

import pytest

from resflops.api import count
from resflops.cost import Cost, price
from resflops.cost.convention import CONVENTIONS, FLOPS
from resflops.records import InputRecord, ModuleRecord, OpRecord, TensorRecord, Trace
from resflops.render.formats import format_note
from resflops.sources import find
from resflops.sources.counting import count_model
from resflops.tables import Table
from resflops.tables.comparison import Entry, build_comparison, build_entry, note_interrupt


@cache
def counted(spec: str, *, batch: int = 1, convention: str = "macs") -> Entry:
    found = find(spec)
    cost = count_model(found, input_shape=(batch, *found.input_shape), convention=CONVENTIONS[convention])
    return build_entry(found, cost)


def table(*specs: str, convention: str = "macs") -> Table:
    return build_comparison([counted(spec, convention=convention) for spec in specs])


def notes(of: Table) -> str:
    return "\n".join(map(format_note, of.notes))


def cells(of: Table, key: str) -> list[Any]:
    return [row[key] for row in of.rows]


def test_the_papers_comparison_comes_out_exactly() -> None:
    paper = table("resnet34", "vgg19")
    assert cells(paper, "total") == cells(paper, "macs") == [3_663_761_408, 19_632_062_464]
    assert cells(paper, "params") == [21_797_672, 143_667_240]
    assert cells(paper, "ratio") == [3_663_761_408 / 19_632_062_464, 1.0]
    assert cells(paper, "published_macs") == [
        ("3.6×10⁹, He et al. 2015: ours truncated",),
        ("19.6 billion, He et al. 2015: ours rounded",),
    ]


def test_rows_stand_in_the_order_given() -> None:
    assert cells(table("vgg19", "resnet34"), "model") == ["vgg19", "resnet34"]


@pytest.mark.parametrize("model", ["resnet34", "plain34"])
def test_the_papers_ratio_is_judged_when_both_models_are_there(model: str) -> None:
    ratio = f"He et al. 2015 print 18% for {model} relative to vgg19; exact is 18."
    assert ratio in notes(table(model, "vgg19"))
    assert "relative to" not in notes(table(model))


@pytest.mark.parametrize(("convention", "heading"), [("formula", "cost (formula)"), ("flops", "FLOPs")])
def test_published_macs_stand_beside_macs_only(convention: str, heading: str) -> None:
    other = table("resnet34", "vgg19", convention=convention)
    assert cells(other, "published_macs") == [(), ()]
    assert cells(other, "published_params")[1] != ()
    assert "relative to" not in notes(other)
    assert heading in [column.heading for column in other.columns]
    assert format_note(other.notes[0]).startswith(f"{convention} counts ")


def test_published_macs_hold_for_the_usual_input_alone() -> None:
    assert cells(build_comparison([counted("resnet34", batch=4)]), "published_macs") == [()]
    assert cells(build_comparison([counted("resnet20", batch=4)]), "published_params") != [()]


def test_a_network_changed_by_an_option_has_no_published_figures() -> None:
    assert counted("resnet34,num_classes=10").figures == ()


def test_a_figure_of_the_convolutions_is_compared_with_the_convolutions() -> None:
    vgg = table("vgg16")
    assert cells(vgg, "published_macs") == [
        ("15.3 billion (convolutions alone), He et al. 2015: ours rounded",)
    ]
    assert "which have 15,346,630,656" in notes(vgg)


def test_a_figure_of_a_block_is_for_programs() -> None:
    block = table("resnext50_32x4d")
    parts = [each for each in cells(block, "published")[0] if each["scope"] == "layer1.1"]
    assert [(each["quantity"], each["agreement"]) for each in parts] == [
        ("params", "approximate"),
        ("macs", "rounded"),
    ]
    assert "70k" not in str(cells(block, "published_params"))


def test_keras_totals_are_read_as_a_sum() -> None:
    said = notes(table("keras_resnet50"))
    assert "25,583,592 parameters + 53,120 buffers = 25,636,712" in said
    assert "exactly ours" in said


def test_a_difference_is_explained() -> None:
    said = notes(table("preact_resnet1001"))
    assert "Huang et al. 2016 print 10.2M, and ours differs: 10,327,706 parameters" in said


def test_a_name_of_several_networks_says_which_one_it_is() -> None:
    said = notes(table("resnet50", "resnet50_v1_5", "resnet34"))
    assert "resnet50: v1, as in the paper" in said
    assert "resnet50_v1_5: v1.5, as in torchvision" in said
    assert "resnet34:" not in said


def incomplete() -> Cost:
    ops = [("relu", 4), ("small", 2), ("large", 9), ("large", 9)]
    trace = Trace(
        model="mine",
        inputs=(InputRecord(name="0", shape=(1, 4)),),
        modules=(ModuleRecord(path="", cls="Mine", parameters=(TensorRecord(name="w", shape=(3,)),)),),
        ops=tuple(
            OpRecord(op=op, layer="", input_shapes=((1, size),), output_shapes=((1, size),))
            for op, size in ops
        ),
    )
    return price(trace, FLOPS)


def test_uncounted_ops_are_ranked_and_mark_the_figure() -> None:
    mine = build_comparison([Entry(cost=incomplete())])
    assert cells(mine, "complete") == [False]
    assert [op["op"] for op in cells(mine, "uncounted")[0]] == ["large", "small"]
    assert "large (2 calls, first in the model itself); small (1 call" in notes(mine)
    assert "complete" in [column.exact_if for column in mine.columns]


def test_frozen_parameters_are_shown_where_there_are_any() -> None:
    shown = {
        column.key
        for column in build_comparison([Entry(cost=incomplete())]).columns
        if column.audience == "all"
    }
    assert {"trainable", "frozen"} <= shown
    assert "buffers" not in shown


def test_the_ratio_of_a_model_to_itself_is_not_shown() -> None:
    audience = {column.key: column.audience for column in table("vgg19").columns}
    assert audience["ratio"] == "programs"


def test_models_that_cost_nothing_have_no_ratio() -> None:
    idle = count(incomplete().trace, convention="macs")
    assert cells(build_comparison([Entry(cost=idle)]), "ratio") == [None]


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (1, "Interrupted: 1 more model was not counted."),
        (1156, "Interrupted: 1,156 more models were not counted."),
    ],
)
def test_an_interrupt_counts_in_the_right_number(left: int, said: str) -> None:
    assert format_note(note_interrupt(left)) == said
