"""Questions about whole tensors, against counts by hand."""

import pytest
import torch

from resflops.ops import OPS

CASES = {
    "membership": (lambda x: torch.isin(x, x[:1, :2]), (2, 3)),
    "nearly equal": (lambda x: x if torch.allclose(x, x) else x + 1, (2, 3)),
    "equal": (lambda x: x if torch.equal(x, x) else x + 1, (2, 3)),
}


@pytest.mark.parametrize(
    ("op", "inputs", "output", "comparisons"),
    [
        # Six elements, two to look for: fewer than 10·6^0.145, so each is compared with each.
        pytest.param("isin", ((2, 3), (2,)), (2, 3), 6 * 2, id="few"),
        pytest.param("isin", ((2, 3),), (2, 3), 6, id="one number"),
        pytest.param("isin", ((40,),), (), 41 * 6 + 40, id="a number among"),
        # 16 and 100 together sorted, 7 comparisons each, and with their neighbours.
        pytest.param("isin", ((16,), (100,)), (16,), 116 * 7 + 115, id="many"),
        pytest.param("equal", ((2, 3), (2, 3)), (), 6, id="equal"),
        pytest.param("equal", ((2, 3), (3, 2)), (), 0, id="of other sizes"),
    ],
)
def test_a_question_takes_comparisons(op, inputs, output, comparisons, record):
    outputs = () if op == "equal" else (output,)
    work = OPS[op].work(record(op, inputs, *outputs))
    assert list(work.kinds()) == ([("comparisons", comparisons)] if comparisons else [])


def test_nearly_equal_takes_six_operations_an_element_and_the_fold(record):
    assert dict(OPS["allclose"].work(record("allclose", ((2, 3), (2, 3)))).kinds()) == {
        "arithmetic": 18,
        "comparisons": 18 + 5,
    }
