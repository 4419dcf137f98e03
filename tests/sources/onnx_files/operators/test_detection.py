"""Which boxes are kept."""

import pytest

from resflops.records import Work
from tests.sources.onnx_files.operators.nodes import Of, count_work, number, read_node


@pytest.mark.parametrize(
    ("limit", "work"),
    [
        pytest.param([], Work(), id="none without a limit"),
        # Six boxes in a batch of two with scores for three classes.
        pytest.param([number(1, "int64")], Work(arithmetic=3 * 12), id="one is looked for"),
        pytest.param(
            [number(3, "int64")], Work(arithmetic=9 * 6 * 9 + 36, comparisons=5 * 6 * 9), id="up to three"
        ),
        pytest.param(
            [number(99, "int64")], Work(arithmetic=9 * 6 * 15 + 36, comparisons=5 * 6 * 15), id="all"
        ),
        pytest.param([Of("int64")], Work(arithmetic=9 * 6 * 15 + 36, comparisons=5 * 6 * 15), id="not known"),
    ],
)
def test_each_box_meets_those_that_are_kept(limit, work):
    node = read_node("NonMaxSuppression", (2, 6, 4), (2, 3, 6), *limit)
    assert count_work(node) == work
