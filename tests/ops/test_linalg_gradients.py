"""Gradients of linear algebra, against the matrix products that torch's own backward pass runs."""

import pytest
import torch
from torch import linalg, nn
from torch.utils.flop_counter import FlopCounterMode

import resflops
from resflops.ops import OPS
from resflops.records import OpRecord, Work

N, K, B = 4, 3, 2


def matrix(rows=N, columns=N):
    """Far from singular, with eigenvalues and singular values apart."""
    torch.manual_seed(0)
    spread = torch.diag_embed(torch.arange(1.0, min(rows, columns) + 1)).expand(B, -1, -1)
    whole = torch.rand(B, rows, columns) / 10
    whole[:, : spread.shape[1], : spread.shape[2]] += spread
    return whole.double()


SIDES = torch.rand(B, N, K, dtype=torch.double)
DECOMPOSITIONS = {
    "inverse": (linalg.inv, [matrix()]),
    "solve": (linalg.solve, [matrix(), SIDES]),
    "solve, matrix alone": (lambda a: linalg.solve(a, SIDES.to(a.device)), [matrix()]),
    "solve, sides alone": (lambda b: linalg.solve(matrix().to(b.device), b), [SIDES]),
    "determinant": (linalg.det, [matrix()]),
    "logarithm of it": (lambda a: linalg.slogdet(a)[1], [matrix()]),
    "triangle": (lambda a, b: linalg.solve_triangular(a, b, upper=True), [matrix(), SIDES]),
    "Cholesky": (linalg.cholesky, [matrix() @ matrix().mT]),
    "by Cholesky": (lambda b, a: torch.cholesky_solve(b, a), [SIDES, matrix()]),
    "inverse by Cholesky": (torch.cholesky_inverse, [matrix()]),
    "LU": (lambda a: linalg.lu(a)[1:], [matrix()]),
    "QR": (linalg.qr, [matrix()]),
    "QR, tall": (linalg.qr, [matrix(7, 4)]),
    "eigenvalues and vectors": (linalg.eigh, [matrix() + matrix().mT]),
    "SVD": (linalg.svd, [matrix()]),
    "SVD, tall": (lambda a: linalg.svd(a, full_matrices=False), [matrix(7, 4)]),
    "SVD, wide": (lambda a: linalg.svd(a, full_matrices=False), [matrix(4, 7)]),
}


class Learned(nn.Module):
    """A function of parameters."""

    def __init__(self, function, tensors):
        super().__init__()
        self.function, self.tensors = (
            function,
            nn.ParameterList([nn.Parameter(each.clone()) for each in tensors]),
        )

    def forward(self):
        return self.function(*self.tensors)


def products_of_torch(model):
    """The multiply-accumulates of a real backward pass, in which every output has a gradient."""
    out = model()
    outs = [out] if isinstance(out, torch.Tensor) else list(out)
    total = sum((each * torch.rand_like(each)).sum() for each in outs)
    with FlopCounterMode(display=False) as counter:
        total.backward()
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("name", DECOMPOSITIONS)
def test_macs_are_those_of_torchs_own_backward_pass(name):
    model = Learned(*DECOMPOSITIONS[name])
    backward = resflops.count(model, backward=True).backward
    assert backward.uncounted == ()
    # Torch permutes by a product with a matrix of zeros and ones; that is data movement.
    permutation = B * N**3 if name == "LU" else 0
    assert backward.macs == products_of_torch(model) - permutation


def gradient(op, shapes, *outputs, needed=(0,), **attributes):
    record = OpRecord(
        op=op, layer="", input_shapes=tuple(shapes), output_shapes=outputs, attributes=attributes
    )
    return OPS[op].gradient.work(record, needed)


@pytest.mark.parametrize(
    ("op", "shapes", "output", "needed", "arithmetic"),
    [
        # Two systems of 4 by LU: 2·16 - 4 each.
        pytest.param("_linalg_solve_ex", [(4, 4), (4, 2)], (4, 2), (0, 1), (2 * 28 + 16, 0), id="solve"),
        pytest.param("_linalg_solve_ex", [(4, 4), (4, 2)], (4, 2), (1,), (2 * 28,), id="sides"),
        pytest.param("linalg_inv_ex", [(3, 4, 4)], (3, 4, 4), (0,), (3 * 16,), id="inverse"),
        pytest.param("_linalg_det", [(4, 4)], (), (0,), (4 * 28 + 1,), id="determinant"),
        pytest.param("linalg_solve_triangular", [(4, 4), (4, 2)], (4, 2), (0, 1), (2 * 16 + 16, 0), id="triangle"),
        pytest.param("triangular_solve", [(4, 2), (4, 4)], (4, 2), (0, 1), (2 * 16, 16), id="sides first"),
        pytest.param("linalg_cholesky_ex", [(4, 4)], (4, 4), (0,), (2 * 64 + 16,), id="Cholesky"),
        pytest.param("linalg_lu", [(4, 4)], (4, 4), (0,), (2 * 64,), id="LU"),
        pytest.param("linalg_qr", [(7, 4)], (7, 4), (0,), (2 * 16 + 4 + 28 + 7 * 16,), id="QR"),
        pytest.param("_linalg_eigh", [(4, 4)], (4,), (0,), (2 * 16 + 4,), id="eigh"),
        pytest.param("_linalg_svd", [(7, 4)], (7, 4), (0,), (7 * 16 + 8 + 3 * 28,), id="SVD"),
    ],
)  # fmt: skip
def test_what_is_not_a_product_is_arithmetic(op, shapes, output, needed, arithmetic):
    works = gradient(op, shapes, output, needed=needed, mode="reduced")
    assert tuple(work.arithmetic for work in works) == arithmetic


@pytest.mark.parametrize("function", [lambda a: linalg.lu(a)[1:], linalg.qr], ids=["LU", "QR"])
def test_a_wide_matrix_has_no_rule_and_is_listed(function):
    backward = resflops.count(Learned(function, [matrix(3, 5)]), backward=True).backward
    assert [each.calls for each in backward.uncounted] == [1]


def work(op, shapes, output, **attributes):
    return OPS[op].work(
        OpRecord(op=op, layer="", input_shapes=tuple(shapes), output_shapes=(output,), attributes=attributes)
    )


@pytest.mark.parametrize(
    ("op", "shapes", "output", "arithmetic"),
    [
        # A column of two: 2 products and a sum for its norm, as LAPACK counts GEQRF and ORGQR of 2×1.
        pytest.param(
            "linalg_qr",
            [(2, 1)],
            (2, 1),
            (3 - 2 + 12 + 6 + 14) // 3 + (24 + 9 - 6 - 4 + 4 - 18 - 3) // 3,
            id="QR",
        ),
        pytest.param("linalg_lu", [(3, 2)], (3, 2), (6 * 12 - 16 - 12 + 10) // 6, id="LU, tall"),
        pytest.param("linalg_lu_solve", [(4, 4), (4,), (4, 3)], (4, 3), 3 * 28, id="by LU"),
        pytest.param("cholesky_solve", [(4, 3), (4, 4)], (4, 3), 3 * 32, id="by Cholesky"),
        pytest.param("cholesky_inverse", [(4, 4)], (4, 4), (256 + 48 + 20) // 6, id="inverse by Cholesky"),
        # 2·343/3 + 49/2 + 5·7/6.
        pytest.param("cholesky_inverse", [(2, 7, 7)], (2, 7, 7), 2 * 259, id="inverses by Cholesky"),
    ],
)
def test_factorisations_of_known_size_count_as_lapack_does(op, shapes, output, arithmetic):
    assert work(op, shapes, output, mode="reduced") == Work(arithmetic=arithmetic)


def test_a_qr_without_q_forms_none():
    whole = work("linalg_qr", [(6, 4)], (6, 4), mode="reduced")
    assert work("linalg_qr", [(6, 4)], (0,), mode="r").arithmetic < whole.arithmetic
    assert work("linalg_qr", [(6, 4)], (6, 6), mode="complete").arithmetic > whole.arithmetic


@pytest.mark.filterwarnings("ignore")
def test_no_gradient_passes_a_quantised_layer():
    if "fbgemm" not in torch.backends.quantized.supported_engines:
        pytest.skip("this build of torch has no quantised kernels")
    model = nn.Sequential(nn.Linear(4, 4), torch.ao.nn.quantized.dynamic.Linear(4, 3))
    backward = resflops.count(model, torch.rand(5, 4), backward=True).backward
    assert (backward.macs, backward.uncounted) == (0, ())
    assert all(OPS[op].gradient.stops for op in ("linear_relu", "conv2d_relu", "quantized.cat"))
