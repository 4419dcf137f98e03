"""The lists of what there is are complete."""

import pytest

from resflops.cost.convention import CONVENTIONS, find_convention
from resflops.errors import UsageError
from resflops.models import NETWORKS
from resflops.ops import OPS
from resflops.tables import Table
from resflops.tables.listings import (
    build_convention_list,
    build_convention_table,
    build_network_table,
    build_op_table,
)


def ops(table: Table) -> list[str]:
    return [op for row in table.rows for op in row["ops"]]


def test_every_network_is_listed_with_its_options() -> None:
    rows = {row["model"]: row for row in build_network_table().rows}
    assert list(rows) == list(NETWORKS)
    assert rows["resnet34"]["options"] == ("shortcut=B|A|C", "in_channels=3", "num_classes=1000")


def test_every_convention_is_listed() -> None:
    assert [row["name"] for row in build_convention_list().rows] == list(CONVENTIONS)


def test_every_op_is_listed_once_as_counted_or_as_free() -> None:
    table = build_op_table()
    (free,) = table.below
    assert sorted(ops(table)) == sorted(op for op, known in OPS.items() if known.work)
    assert sorted(ops(free)) == sorted(op for op, known in OPS.items() if known.free)


def test_under_flops_every_rule_counts() -> None:
    assert sorted(ops(build_convention_table(find_convention("flops")))) == sorted(
        op for op, known in OPS.items() if known.work
    )


def test_under_macs_only_ops_with_multiply_accumulates_count() -> None:
    table = build_convention_table(find_convention("macs"))
    assert sorted(ops(table)) == sorted(op for op, known in OPS.items() if known.factors)
    assert "price" not in [column.key for column in table.columns if column.audience == "all"]


def test_prices_that_differ_between_ops_have_a_column() -> None:
    table = build_convention_table(find_convention("formula"))
    prices = {op: row["price"] for row in table.rows for op in row["ops"]}
    assert prices["conv2d"] == ("1 per MAC", "1 per output element")
    assert prices["matmul"] == ("1 per MAC",)
    assert "price" in [column.key for column in table.columns if column.audience == "all"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("conv2", {"conv2d"}), ("group_norm*", {"group_norm"}), ("GROUP_NORM", {"group_norm"})],
)
def test_ops_are_found_by_a_part_of_their_name_or_a_pattern(pattern, found):
    table = build_op_table([pattern])
    assert found <= {op for row in table.rows for op in row["ops"]}
    assert "linear" not in {op for row in table.rows for op in row["ops"]}


def test_an_op_that_is_not_there_is_told_its_neighbours():
    with pytest.raises(UsageError, match="no op is called 'gruop_norm'; closest: group_norm"):
        build_op_table(["gruop_norm"])
