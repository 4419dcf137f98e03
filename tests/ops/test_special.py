"""Functions of torch.special: each evaluation is one transcendental function."""

import pytest
import torch

from resflops.ops import OPS

NAMES = (
    "airy_ai", "bessel_j1", "bessel_y0", "bessel_y1", "modified_bessel_i0", "modified_bessel_i1",
    "modified_bessel_k0", "modified_bessel_k1", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1",
    "spherical_bessel_j0",
)  # fmt: skip
POLYNOMIALS = (
    *(f"{kind}_polynomial_{variant}" for kind in ("chebyshev", "shifted_chebyshev") for variant in "tuvw"),
    "laguerre_polynomial_l", "legendre_polynomial_p", "hermite_polynomial_h", "hermite_polynomial_he",
)  # fmt: skip
ORDER = torch.tensor(3.0)
CASES = {
    **{name: (getattr(torch.special, name), (2, 3)) for name in NAMES},
    **{
        name: (lambda x, name=name: getattr(torch.special, name)(x.detach(), ORDER), (2, 3))
        for name in POLYNOMIALS
    },
    "zeta": (lambda x: torch.special.zeta(x.detach(), ORDER), (2, 3)),
    "entr": (torch.special.entr, (2, 3)),
    "frexp": (lambda x: torch.frexp(x)[0], (2, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_takes_an_evaluation_an_element(name, trace_style):
    record = trace_style("eager", *CASES[name]).ops[-1]
    work = {"entr": {"arithmetic": 12, "transcendental": 6}, "frexp": {"arithmetic": 6}}
    assert dict(OPS[record.op].work(record).kinds()) == work.get(name, {"transcendental": 6})
