"""Linear algebra: one cost however they are called."""

import pytest
import torch
from torch import nn

import resflops
from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import OpRecord

MATRIX = torch.eye(3) * 4 + 1
LINALG = {
    **{name: getattr(torch.linalg, name) for name in ("det", "slogdet", "inv", "cholesky", "lu_factor")},
    "solve": lambda x: torch.linalg.solve(x, x),
    "cross": lambda x: torch.cross(x, x.flip(0), -1),
}
FUNCTIONS = {
    **LINALG,
    "qr": torch.linalg.qr,
    "lu": torch.linalg.lu,
    "lu_solve": lambda x: torch.linalg.lu_solve(*torch.linalg.lu_factor(x), x),
    "solve_triangular": lambda x: torch.linalg.solve_triangular(x, x, upper=True),
    "cholesky_solve": lambda x: torch.cholesky_solve(x, x),
    "cholesky_inverse": torch.cholesky_inverse,
    "trace": torch.trace,
    "triangular_solve": lambda x: torch.triangular_solve(x, x)[0],
}
CASES = {name: (function, MATRIX) for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


class Inferring(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        with torch.inference_mode():
            return self.function(x)


@pytest.mark.parametrize("name", LINALG)
def test_what_inference_mode_leaves_whole_is_counted(name):
    model = Inferring(LINALG[name])
    cost = resflops.count(model, (3, 3), convention="flops")
    model.forward = lambda x: LINALG[name](x)
    assert cost.uncounted == ()
    assert cost.total == resflops.count(model, (3, 3), convention="flops").total > 0


def test_a_qr_factorisation_without_its_mode_has_no_cost():
    record = OpRecord(op="linalg_qr", layer="", input_shapes=((4, 4),), output_shapes=((4, 4),))
    with pytest.raises(MissingAttributeError, match="mode"):
        OPS["linalg_qr"].work(record)


COMPLEX = torch.eye(3, dtype=torch.complex64) * 4 + 1


@pytest.mark.parametrize(
    ("function", "multiplications", "additions", "roots"),
    [
        # For n = 3: n³/3 + 2n/3 and n³/3 - n²/2 + n/6.
        pytest.param(torch.linalg.lu_factor, 11, 5, 0, id="factorisation"),
        # The product of the diagonal besides.
        pytest.param(torch.linalg.det, 11 + 2, 5, 0, id="determinant"),
        # 2n³/3 + n²/2 + 5n/6 and 2n³/3 - 3n²/2 + 5n/6 more.
        pytest.param(torch.linalg.inv, 11 + 25, 5 + 7, 0, id="inverse"),
        # n² and n² - n for each of three sides more.
        pytest.param(lambda x: torch.linalg.solve(x, x), 11 + 27, 5 + 18, 0, id="solution"),
        # (n² + n)/2 and (n² - n)/2 for each of three sides.
        pytest.param(
            lambda x: torch.linalg.solve_triangular(x, x, upper=True), 18, 9, 0, id="triangular solution"
        ),
        # GEQRF 3·(23/6 + 6 - 3/2 + 3·2) and 3·(5/6 + 3 - 3/2 + 3·2); ORGQR 54 - 54 + 18 + 18 - 9 - 5 and
        # 54 - 54 + 18 + 9 - 9 + 1.
        pytest.param(torch.linalg.qr, 43 + 22, 25 + 19, 0, id="reflections"),
        # n³/6 + n²/2 + n/3, of which n are roots, and n³/6 - n/6.
        pytest.param(torch.linalg.cholesky, 10 - 3, 4, 3, id="root"),
    ],
)
def test_on_complex_numbers_a_multiplication_is_six_and_an_addition_two(
    function, multiplications, additions, roots
):
    model = Inferring(function)
    model.forward = function
    real, on_complex = (resflops.count(model, each) for each in (MATRIX, COMPLEX))
    assert (real.uncounted, on_complex.uncounted) == ((), ())
    assert (real.work.arithmetic, real.work.transcendental) == (multiplications + additions, roots)
    assert on_complex.work.arithmetic == 6 * multiplications + 2 * additions
    assert on_complex.work.transcendental == roots
