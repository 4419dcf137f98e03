"""Comparisons, limits and logic: their attributes, and one cost however they are called."""

import pytest
import torch

from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import Work

SHAPE = (2, 4, 6, 6)
OF_ONE = {
    "logical_not": torch.logical_not,
    "compare": lambda x: x > 2,
    "clamp": lambda x: x.clamp(0, 1),
    "clamp below": lambda x: x.clamp(min=0),
    "clamp above": lambda x: torch.clip(x, max=0),
    "clamp_min": lambda x: x.clamp_min(0),
    "clamp_max": lambda x: x.clamp_max(1),
    "bits": lambda x: ~(x > 0) & (x < 1) | (x == 0.5) ^ (x >= 1),
    "bits of whole numbers": lambda x: ~x.to(torch.int32),
    "logic": lambda x: torch.logical_or(torch.logical_and(x, x), torch.logical_xor(x, x)),
}
NAMES = (
    "maximum", "minimum", "fmax", "fmin", "copysign", "heaviside", "nextafter", "eq", "ne", "lt", "le", "gt",
    "ge",
)  # fmt: skip
OF_TWO = {
    **{name: getattr(torch, name) for name in NAMES},
    "shift to the left": lambda x, y: x.int() << y.int(),
    "shift to the right": lambda x, y: x.int() >> y.int(),
    "gcd": lambda x, y: torch.gcd(x.int(), y.int()),
    "lcm": lambda x, y: torch.lcm(x.int(), y.int()),
    "clamp by a tensor": lambda x, y: torch.clamp(x, y),
    "clamp by a tensor above": lambda x, y: torch.clamp(x, max=y),
    "clamp by two tensors": lambda x, y: torch.clamp(x, y, y + 1),
}
OPERANDS = {"of one shape": SHAPE, "broadcast": (6,)}
CASES = {
    **{name: (function, SHAPE) for name, function in OF_ONE.items()},
    **{
        f"{name} {kind}": (function, SHAPE, shape)
        for name, function in OF_TWO.items()
        for kind, shape in OPERANDS.items()
    },
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


@pytest.mark.parametrize("attributes", [{}, {"min": 0}, {"max": None}])
def test_limits_that_are_not_told_are_an_error(attributes, record):
    given = record("clamp", [SHAPE], SHAPE, **attributes)
    with pytest.raises(MissingAttributeError, match="op 'clamp'"):
        OPS["clamp"].work(given)
    with pytest.raises(MissingAttributeError, match="op 'clamp'"):
        OPS["clamp"].gradient.work(given, (0,))


def test_a_limit_that_is_a_tensor_is_among_the_inputs(record):
    assert OPS["clamp"].work(record("clamp", [(5,), (5,)], (5,), max=None)) == Work(comparisons=5)
    assert OPS["clamp"].work(record("clamp", [(5,), (5,), (5,)], (5,))) == Work(comparisons=10)
