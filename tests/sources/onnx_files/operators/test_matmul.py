"""Matrix products, against torch's own."""

import pytest
import torch
import torch.nn.functional as F

from resflops.errors import ShapeError
from tests.sources.onnx_files.operators.nodes import count_work, describe, read_node, trace_function

ROWS, WEIGHT, BIAS = (3, 4), (5, 4), (5,)


@pytest.mark.parametrize(
    ("inputs", "attributes", "function", "shapes"),
    [
        pytest.param([ROWS, WEIGHT, BIAS], {"transB": 1}, F.linear, [ROWS, WEIGHT, BIAS], id="linear layer"),
        pytest.param([ROWS, WEIGHT], {"transB": 1}, F.linear, [ROWS, WEIGHT], id="without a bias"),
        pytest.param([ROWS, (4, 5), BIAS], {}, F.linear, [ROWS, WEIGHT, BIAS], id="by columns"),
        pytest.param([(4, 3), WEIGHT, BIAS], {"transA": 1, "transB": 1}, F.linear, [ROWS, WEIGHT, BIAS],
                     id="transposed rows"),
        pytest.param([ROWS, (4, 5)], {}, torch.mm, [ROWS, (4, 5)], id="product"),
        pytest.param([ROWS, (4, 5), (3, 5)], {"alpha": 0.5}, lambda x, y, more: torch.addmm(more, x, y),
                     [ROWS, (4, 5), (3, 5)], id="product and sum"),
    ],
)  # fmt: skip
def test_it_is_the_product_of_torch(inputs, attributes, function, shapes):
    assert describe(read_node("Gemm", *inputs, **attributes)) == describe(trace_function(function, *shapes))


@pytest.mark.parametrize(
    "shapes", [[(2, 3, 4), (4, 5)], [(2, 1, 3, 4), (6, 4, 5)], [(4,), (4, 5)], [(3, 4), (4,)]]
)
def test_factors_of_any_dimensions_are_those_of_torch(shapes):
    own = trace_function(torch.matmul, *shapes)
    assert count_work(read_node("MatMul", *shapes)) == count_work(own)


@pytest.mark.parametrize("operator", ["Gemm", "MatMul"])
def test_other_features_are_refused(operator):
    with pytest.raises(ShapeError, match="3×4, 5×6"):
        read_node(operator, ROWS, (5, 6))
