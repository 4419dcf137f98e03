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
