"""Sums over products, against torch's own."""

import pytest
import torch

from resflops.errors import ShapeError
from tests.sources.onnx_files.operators.nodes import count_work, read_node, trace_function

CASES = [
    pytest.param("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)], id="matrices"),
    pytest.param("bhqd,bhkd->bhqk", [(1, 2, 3, 4), (1, 2, 5, 4)], id="scores"),
    pytest.param("ij,jk", [(3, 4), (4, 5)], id="no result given"),
    pytest.param("ij,ik->jk", [(3, 4), (3, 5)], id="columns"),
    pytest.param("i,j->ij", [(3,), (4,)], id="nothing is summed"),
    pytest.param("ijk->ki", [(2, 3, 4)], id="one tensor"),
    pytest.param("ijk,kl->il", [(2, 3, 4), (4, 5)], id="a sum of one operand"),
    pytest.param("...ij,...jk->...ik", [(2, 6, 3, 4), (2, 6, 4, 5)], id="an ellipsis"),
    pytest.param("...ij,jk->...ik", [(7, 3, 4), (4, 5)], id="an ellipsis of one operand"),
    pytest.param("...ij,...jk", [(2, 3, 4), (2, 4, 5)], id="an ellipsis and no result given"),
    pytest.param("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)], id="three tensors"),
]


@pytest.mark.parametrize(("equation", "shapes"), CASES)
def test_it_is_the_einsum_of_torch(equation, shapes):
    records = read_node("Einsum", *shapes, equation=equation)
    own = trace_function(lambda *tensors: torch.einsum(equation, *tensors), *shapes)
    assert count_work(records) == count_work(own)
    assert records[-1].output_shapes == own[-1].output_shapes


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        pytest.param("ii->i", [(3, 3)], id="a diagonal"),
        pytest.param("ij,jk->ik", [(3, 1), (4, 5)], id="a size of one that stands for any"),
    ],
)
def test_what_no_product_stands_for_is_uncounted(equation, shapes):
    assert [record.op for record in read_node("Einsum", *shapes, equation=equation)] == ["Einsum"]


@pytest.mark.parametrize(
    ("equation", "shapes"), [("ij,jk", [(3, 4)]), ("ijk,kl->il", [(2, 3), (4, 5)]), ("i...j", [(3,)])]
)
def test_an_equation_of_other_tensors_is_refused(equation, shapes):
    with pytest.raises(ShapeError):
        read_node("Einsum", *shapes, equation=equation)
