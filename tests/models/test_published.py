"""Printed figures: how they read, and that exact counts agree with them or the record says why not."""

from decimal import Decimal
from fractions import Fraction
from functools import cache

import pytest
import torch
from torch import nn

from resflops.errors import SchemaError
from resflops.models import NETWORKS, build
from resflops.models.published import PublishedFigure, judge_agreement, load_figures, select_figures


def make_figure(text: str, unit: str = "") -> PublishedFigure:
    return PublishedFigure(model="m", quantity="macs", printed=text, unit=unit, source="s", reference="r")


@cache
def build_on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return build(NETWORKS[name])


def count(figure: PublishedFigure) -> int:
    part = build_on_meta(figure.model).get_submodule(figure.scope)
    total = sum(parameter.numel() for parameter in part.parameters())
    if figure.quantity == "params+buffers":
        total += sum(buffer.numel() for buffer in part.buffers())
    return total


@pytest.mark.parametrize(
    ("text", "unit", "value", "place"),
    [
        ("3.6×10⁹", "", 3_600_000_000, 100_000_000),
        ("3.6 billion", "", 3_600_000_000, 100_000_000),
        ("0.27M", "", 270_000, 10_000),
        ("11.0M", "", 11_000_000, 100_000),
        ("133", "millions", 133_000_000, 1_000_000),
        ("~4.1", "billions", 4_100_000_000, 100_000_000),
        ("~25 million", "", 25_000_000, 1_000_000),
        ("~70k", "", 70_000, 1_000),
        ("~0.22 billion", "", 220_000_000, 10_000_000),
        ("25,636,712", "", 25_636_712, 1),
        ("18%", "", Decimal("0.18"), Decimal("0.01")),
    ],
)
def test_a_printed_figure_has_a_value_and_a_last_place(
    text: str, unit: str, value: int | Decimal, place: int | Decimal
) -> None:
    figure = make_figure(text, unit)
    assert (figure.value, figure.place) == (value, place)
    assert figure.is_approximate == text.startswith("~")


@pytest.mark.parametrize("text", ["", "many", "3.6 zillion", "1.2.3", "-5M"])
def test_a_figure_that_is_no_number_is_an_error(text: str) -> None:
    with pytest.raises(SchemaError, match="which cannot be read as a number"):
        _ = make_figure(text).value


@pytest.mark.parametrize(
    ("text", "exact", "expected"),
    [
        ("3.6×10⁹", 3_663_761_408, "truncated"),
        ("19.6 billion", 19_632_062_464, "rounded"),
        ("3.6 billion", 3_550_000_000, "rounded"),
        ("3.6 billion", 3_549_999_999, "differs"),
        ("3.6 billion", 3_650_000_000, "truncated"),
        ("3.6 billion", 3_700_000_000, "differs"),
        ("18%", Fraction(3_663_761_408, 19_632_062_464), "truncated"),
        ("25,636,712", 25_636_712, "exact"),
        ("25,636,712", 25_636_713, "differs"),
        ("~7.8 billion", 7_801_405_440, "rounded"),
        ("~7.8 billion", 7_969_996_800, "approximate"),
        ("~100", 105, "approximate"),
        ("~100", 106, "differs"),
        ("7.8 billion", 7_969_996_800, "differs"),
    ],
)
def test_agreement_is_the_closest_relation_that_holds(
    text: str, exact: int | Fraction, expected: str
) -> None:
    assert judge_agreement(make_figure(text), exact) == expected


def test_every_figure_is_about_a_network_of_the_catalog() -> None:
    for figure in load_figures():
        assert figure.model in NETWORKS
        assert figure.relative_to in {"", *NETWORKS}
        assert figure.value > 0


def test_no_figure_is_recorded_twice() -> None:
    keys = [(f.model, f.quantity, f.printed, f.reference, f.relative_to) for f in load_figures()]
    assert len(set(keys)) == len(keys)


PARAMETERS = [figure for figure in load_figures() if figure.quantity != "macs"]


@pytest.mark.parametrize("figure", PARAMETERS, ids=lambda figure: f"{figure.model}={figure.printed}")
def test_every_published_parameter_count_is_met_or_the_record_says_why_not(figure: PublishedFigure) -> None:
    assert (judge_agreement(figure, count(figure)) == "differs") == bool(figure.reason)


@pytest.mark.parametrize(
    ("name", "trainable", "total"),
    [
        ("keras_resnet50", 25_583_592, 25_636_712),
        ("keras_resnet101", 44_601_832, 44_707_176),
        ("keras_resnet152", 60_268_520, 60_419_944),
        ("keras_resnet50_v2", 25_568_360, 25_613_800),
        ("keras_resnet101_v2", 44_577_896, 44_675_560),
        ("keras_resnet152_v2", 60_236_904, 60_380_648),
    ],
)
def test_keras_totals_are_parameters_and_moving_statistics(name: str, trainable: int, total: int) -> None:
    model = build_on_meta(name)
    assert sum(parameter.numel() for parameter in model.parameters()) == trainable
    assert trainable + sum(buffer.numel() for buffer in model.buffers()) == total
    assert {
        judge_agreement(f, {"params": trainable, "params+buffers": total}[f.quantity])
        for f in select_figures(name)
    } == {"exact"}


def test_the_resnext_template_has_seventy_thousand_weights_without_its_batch_norms() -> None:
    for name, weights in (("resnet50_v1_5", 69_632), ("resnext50_32x4d", 70_144)):
        block = build_on_meta(name).get_submodule("layer1.1")
        assert sum(weight.numel() for weight in block.parameters() if weight.dim() == 4) == weights
        assert judge_agreement(make_figure("~70k"), weights) == "rounded"
        assert judge_agreement(make_figure("~0.22 billion"), weights * 56 * 56) == "rounded"


def test_the_reasons_given_hold() -> None:
    parameters = dict(build_on_meta("preact_resnet1001").named_parameters())
    norms = sum(value.numel() for value in parameters.values() if value.dim() == 1) - 10
    assert norms == 149_216
    assert sum(value.numel() for value in parameters.values()) - norms == 10_178_490
    for name, third_party in (("resnext29_8x64d", 34_426_634), ("resnext29_16x64d", 68_155_146)):
        (figure,) = (figure for figure in select_figures(name) if figure.reason)
        assert figure.value == third_party == count(figure) - 128 + 64
