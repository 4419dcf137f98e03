"""einsum, matmul and their kin against a count of the products that are really formed."""

from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import resflops


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def macs(function, *shapes):
    return resflops.count(Call(function), *(torch.empty(shape, device="meta") for shape in shapes)).macs


def run_by_torch(function, *shapes):
    """Half of what torch's own counter sees in the matrix products of a real run."""
    with FlopCounterMode(display=False) as counter:
        function(*(torch.ones(shape) for shape in shapes))
    return counter.get_total_flops() // 2


def brute_force(left, right, result, sizes):
    """One MAC per setting of all labels that both tensors, or one and the result, still have.

    A label that only one tensor has is summed beforehand, by additions alone.
    """
    alive = {label for label in {*left, *right} if label in result or (label in left and label in right)}
    if not any(sizes[label] > 1 for label in alive - set(result)):
        return 0
    return prod(sizes[label] for label in alive)


@st.composite
def equations(draw):
    labels = "abcde"
    sizes = {label: draw(st.integers(1, 4)) for label in labels}
    left, right = (
        "".join(draw(st.lists(st.sampled_from(labels), unique=True, min_size=1, max_size=4)))
        for _ in range(2)
    )
    result = "".join(draw(st.lists(st.sampled_from(sorted({*left, *right})), unique=True, max_size=4)))
    return left, right, result, sizes


@given(equations())
def test_einsum_of_two_equals_a_brute_force_count(case):
    left, right, result, sizes = case
    equation = f"{left},{right}->{result}"
    shapes = [tuple(sizes[label] for label in labels) for labels in (left, right)]
    counted = macs(lambda x, y: torch.einsum(equation, x, y), *shapes)
    assert counted == brute_force(left, right, result, sizes)
    assert counted == run_by_torch(lambda x, y: torch.einsum(equation, x, y), *shapes)


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.sampled_from("abcd"), unique=True, min_size=1, max_size=3), min_size=3, max_size=4),
    st.data(),
)
def test_einsum_of_more_counts_the_products_in_the_order_that_torch_runs(operands, data):
    sizes = {label: data.draw(st.integers(1, 4)) for label in "abcd"}
    labels = ["".join(each) for each in operands]
    result = "".join(data.draw(st.lists(st.sampled_from(sorted({*"".join(labels)})), unique=True)))
    equation = f"{','.join(labels)}->{result}"
    shapes = [tuple(sizes[label] for label in each) for each in labels]
    assert macs(lambda *xs: torch.einsum(equation, *xs), *shapes) == run_by_torch(
        lambda *xs: torch.einsum(equation, *xs), *shapes
    )


@pytest.mark.parametrize(
    ("equation", "shapes", "expected"),
    [
        pytest.param(
            "bhid,bhjd->bhij", [(2, 3, 5, 4), (2, 3, 7, 4)], 2 * 3 * 5 * 7 * 4, id="attention scores"
        ),
        pytest.param("...ij,...jk->...ik", [(2, 4, 3), (2, 3, 5)], 2 * 4 * 5 * 3, id="ellipsis"),
        pytest.param("ii,ij->j", [(3, 3), (3, 4)], 12, id="diagonal"),
        pytest.param("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)], 2 * 3 * 4 + 2 * 4 * 5, id="left to right"),
        pytest.param("i,j->ij", [(3,), (4,)], 0, id="nothing to accumulate"),
    ],
)
def test_einsum(equation, shapes, expected):
    if len(shapes) > 2 and torch.backends.opt_einsum.is_available():
        expected = run_by_torch(lambda *xs: torch.einsum(equation, *xs), *shapes)
    assert macs(lambda *xs: torch.einsum(equation, *xs), *shapes) == expected


sides = st.integers(1, 5)


@given(st.data(), sides, sides, sides)
def test_matmul_equals_a_brute_force_count(data, rows, inner, columns):
    batch = data.draw(st.lists(st.integers(1, 3), max_size=2))
    # Either side may lack leading batch dimensions, or have ones in their place.
    left, right = (
        [data.draw(st.sampled_from([1, size])) for size in batch][data.draw(st.integers(0, len(batch))) :]
        for _ in range(2)
    )
    left_shape, right_shape = (*left, rows, inner), (*right, inner, columns)
    count = 0
    for _ in range(prod(torch.broadcast_shapes(tuple(left), tuple(right)))):
        for _ in range(rows * columns):
            count += inner
    for matmul in (torch.matmul, lambda x, y: x @ y, torch.Tensor.matmul):
        assert macs(matmul, left_shape, right_shape) == count


FUNCTIONS = {
    "tensordot": (lambda x, y: torch.tensordot(x, y, 2), [(2, 3, 4), (3, 4, 5)], 2 * 12 * 5),
    "tensordot over named": (
        lambda x, y: torch.tensordot(x, y, ([0, 2], [1, 0])), [(2, 3, 4), (4, 2, 5)], 3 * 8 * 5,
    ),
    "bilinear": (nn.Bilinear(4, 5, 6), [(2, 4), (2, 5)], 2 * 6 * (4 * 5 + 5)),
    "distances": (torch.cdist, [(2, 30, 4), (2, 26, 4)], 2 * 30 * 26 * (4 + 2)),
    "few distances": (torch.cdist, [(2, 3, 4), (2, 5, 4)], 0),
    # (4×2)(2×4) then (4×4)(4×2) would take 64; torch takes 4×2 by (2×4 by 4×2).
    "chain": (lambda x: torch.linalg.multi_dot([x, x.T, x]), [(4, 2)], 2 * 4 * 2 + 4 * 2 * 2),
    "outer": (torch.outer, [(3,), (4,)], 0),
    "kron": (torch.kron, [(2, 3), (4, 5)], 0),
    "addbmm": (torch.addbmm, [(3, 5), (2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
    "addr": (torch.addr, [(3, 4), (3,), (4,)], 0),
    "addmv": (torch.addmv, [(3,), (3, 4), (4,)], 12),
    "matrix power": (lambda x: torch.linalg.matrix_power(x, 3), [(4, 4)], 2 * 64),
    "vectors": (torch.vdot, [(4,), (4,)], 4),
    "affine grid": (
        lambda x: nn.functional.affine_grid(x, (2, 3, 4, 5), align_corners=False), [(2, 2, 3)],
        2 * 4 * 5 * 2 * 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_products_in_other_words(name):
    function, shapes, expected = FUNCTIONS[name]
    cost = resflops.count(Call(function), *(torch.empty(shape, device="meta") for shape in shapes))
    assert (cost.macs, cost.uncounted) == (expected, ())
