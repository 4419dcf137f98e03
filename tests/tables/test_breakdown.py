"""The breakdown: layers, parts of the module tree and stages, all of which add up to the total."""

from functools import cache

import pytest
from torch import nn

import resflops
from resflops.cost import Cost
from resflops.cost.convention import CONVENTIONS
from resflops.cost.layers import LayerRow
from resflops.models import NETWORKS
from resflops.render.formats import format_note
from resflops.sources import find
from resflops.sources.counting import count_model
from resflops.tables import Table
from resflops.tables.breakdown import build_breakdown

SMALL = [
    "resnet34",
    "resnet20",
    "vgg16_bn",
    "tf_resnet18_cifar",
    "preact_resnet18",
    "keras_resnet50_v2",
    "wrn_16_4",
]


@cache
def cost(spec: str, convention: str = "macs") -> Cost:
    found = find(spec)
    return count_model(found, input_shape=(1, *found.input_shape), convention=CONVENTIONS[convention])


def keys_for_people(table: Table) -> list[str]:
    return [column.key for column in table.columns if column.audience != "programs"]


@pytest.mark.parametrize("convention", ["macs", "formula", "flops"])
@pytest.mark.parametrize("spec", SMALL)
def test_layers_parts_and_stages_add_up_to_the_total(spec: str, convention: str) -> None:
    whole = cost(spec, convention)
    by_layer = build_breakdown(whole)
    for table in (
        by_layer,
        build_breakdown(whole, depth=1),
        build_breakdown(whole, depth=2),
        *by_layer.below,
    ):
        assert table.total is not None
        for key in ("params", "macs", "total"):
            assert sum(row[key] for row in table.rows) == table.total[key] == getattr(whole, key)
        assert sum(row["share"] for row in table.rows) == pytest.approx(1)


def test_every_network_names_its_stages() -> None:
    assert [name for name in SMALL if not build_breakdown(cost(name)).below] == []
    assert set(SMALL) <= set(NETWORKS)


def test_the_stages_are_the_papers() -> None:
    (stages,) = build_breakdown(cost("resnet34")).below
    assert [row["name"] for row in stages.rows] == ["conv1", "conv2_x", "conv3_x", "conv4_x", "conv5_x", "fc"]
    assert [row["output_shape"][-1] for row in stages.rows] == [112, 56, 28, 14, 7, 1000]


def test_programs_get_every_field_of_every_layer() -> None:
    whole = cost("resnet20")
    table = build_breakdown(whole)
    assert len(table.rows) == len(whole.layers)
    assert set(LayerRow.__struct_fields__) <= {
        column.key for column in table.columns if column.audience != "people"
    }


def test_rows_without_cost_and_parameters_are_left_out_and_counted() -> None:
    table = build_breakdown(cost("resnet20"))
    shown = table.list_shown_rows()
    assert all(row["total"] or row["params"] for row in shown)
    (note,) = [format_note(note) for note in table.notes if note.audience == "people"]
    assert note.startswith(f"Left out: {len(table.rows) - len(shown)} rows ")
    assert "relu " in note


def test_one_row_that_is_left_out_is_in_the_singular() -> None:
    table = build_breakdown(resflops.count(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), (1, 4)))
    (said,) = [format_note(note) for note in table.notes if "Left out" in note.text]
    assert said == (
        "Left out: 1 row that costs nothing under this convention and holds no parameters (relu 1); --all shows it."
    )


def test_all_leaves_nothing_out() -> None:
    table = build_breakdown(cost("resnet20"), everything=True)
    assert table.list_shown_rows() == table.rows
    assert not any("Left out" in note.text for note in table.notes)


def test_the_same_number_is_not_shown_twice() -> None:
    assert "total" not in keys_for_people(build_breakdown(cost("resnet20")))
    assert {"macs", "total"} <= set(keys_for_people(build_breakdown(cost("resnet20", "flops"))))


def test_calls_are_shown_where_a_shown_row_stands_for_several() -> None:
    assert "calls" not in keys_for_people(build_breakdown(cost("resnet34")))
    assert "calls" in keys_for_people(build_breakdown(cost("resnet34"), everything=True))


def test_folding_names_the_modules_of_that_depth() -> None:
    names = [row["name"] for row in build_breakdown(cost("resnet34"), depth=1).rows]
    assert names == [
        "conv1",
        "bn1",
        "relu",
        "maxpool",
        "layer1",
        "layer2",
        "layer3",
        "layer4",
        "avgpool",
        "fc",
    ]
