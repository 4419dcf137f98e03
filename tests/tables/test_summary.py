"""The summary of a model: module by module, as torchinfo's."""

import pytest
from torch import nn

import resflops
from resflops.errors import UsageError


@pytest.fixture(scope="module")
def cost():
    return resflops.count("resnet20")


def names(table):
    return [row["name"] for row in table.list_shown_rows()]


def test_a_module_has_the_sum_of_all_that_is_in_it(cost):
    rows = {row["name"]: row for row in cost.summary(depth=2).rows}
    assert rows["layer1"]["macs"] == sum(row.macs for row in cost.layers if row.name.startswith("layer1."))
    assert rows["layer1"]["macs"] == sum(rows[f"layer1.{number}"]["macs"] for number in range(3))
    assert (rows[""]["macs"], rows[""]["params"]) == (cost.macs, cost.params)


def test_depth_says_how_far_down_it_goes(cost):
    assert max(name.count(".") for name in names(cost.summary())) == 2
    assert set(names(cost.summary(depth=1))) == {name for name in names(cost.summary()) if "." not in name}


@pytest.mark.parametrize("depth", [0, -1, "2"])
def test_a_depth_that_cannot_be_is_refused(cost, depth):
    with pytest.raises(UsageError, match="depth must be a whole number of at least 1"):
        cost.summary(depth=depth)


@pytest.mark.parametrize(
    ("columns", "keys"),
    [
        ((), ["name", "cls", "output_shape", "params", "macs", "share"]),
        (["macs", "params"], ["name", "macs", "params"]),
        (
            ("input_size", "output_size", "num_params", "mult_adds"),
            ["name", "input_shape", "output_shape", "params", "macs"],
        ),
        ("class", ["name", "cls"]),
        ("macs, params", ["name", "macs", "params"]),
        (["macs", "macs"], ["name", "macs"]),
    ],
    ids=["usual", "chosen", "torchinfo's names", "one", "in one text", "twice"],
)
def test_columns_are_those_that_are_named_in_their_order(cost, columns, keys):
    assert [column.key for column in cost.summary(columns=columns).columns] == keys


def test_a_column_that_does_not_exist_is_told_its_neighbours(cost):
    with pytest.raises(UsageError, match="no column named 'parms'; closest: params"):
        cost.summary(columns=["parms"])


def test_it_names_classes_and_kernels_of_layers_alone():
    cost = resflops.count(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 5), nn.ReLU())), (1, 3, 9, 9)
    )
    rows = cost.summary(columns=["class", "kernel"]).rows
    assert [(row["name"], row["cls"], row["kernel"]) for row in rows] == [
        ("", "Sequential", None), ("0", "Conv2d", (3, 3)), ("1", "Sequential", None),
        ("1.0", "Conv2d", (5, 5)), ("1.1", "ReLU", None),
    ]  # fmt: skip


def test_another_convention_shows_its_own_total(cost):
    table = cost.under("formula").summary(depth=1)
    assert table.total["total"] == cost.under("formula").total
    assert [column.key for column in table.columns][-2:] == ["total", "share"]
