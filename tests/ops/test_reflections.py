"""Householder's reflections: one cost however they are called, and counts by hand."""

import pytest
import torch

from resflops.ops import OPS

TALL = torch.arange(12.0).reshape(4, 3) + torch.eye(4, 3)
CASES = {
    "factors": (lambda x: torch.geqrf(x)[0], TALL),
    "matrix": (lambda x: torch.linalg.householder_product(*torch.geqrf(x)), TALL),
    "product": (lambda x: torch.ormqr(*torch.geqrf(x), x), TALL),
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


@pytest.mark.parametrize(
    ("op", "inputs", "output", "attributes", "arithmetic"),
    [
        # 3·(3·(1 - 2 + 8) + 4 + 14/3)
        pytest.param("geqrf", ((4, 3),), (4, 3), {}, 3 * 21 + 12 + 14, id="factors"),
        # 3·(48 + 9 - 4 - 4/3 + 3·(4 - 14 - 1))
        pytest.param("linalg_householder_product", ((4, 3), (3,)), (4, 3), {}, 3 * 53 - 4 - 99, id="matrix"),
        pytest.param("ormqr", ((4, 2), (2,), (4, 3)), (4, 3), {"left": True}, 96 - 24 + 18, id="left"),
        # 4·3·4·2 - 2·4·4 + 2·4·2 + 3·2 - 1
        pytest.param("ormqr", ((3, 2), (2,), (4, 3)), (4, 3), {"left": False}, 96 - 32 + 16 + 5, id="right"),
    ],
)
def test_a_count_is_that_of_lapack(op, inputs, output, attributes, arithmetic, record):
    assert OPS[op].work(record(op, inputs, output, **attributes)).arithmetic == arithmetic
