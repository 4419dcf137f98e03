"""Arithmetic of two tensors, or of a tensor and a number, costs the same however it is called."""

import pytest
import torch

from resflops.ops import OPS
from resflops.records import Work

SHAPE = (2, 4, 6, 6)
WITH_A_NUMBER = {
    "add a number": lambda x: x + 2,
    "subtract a number": lambda x: x - 2,
    "subtract from a number": lambda x: 2 - x,
    "multiply by a number": lambda x: x * 2,
    "divide by a number": lambda x: x / 2,
    "divide a number": lambda x: 2 / x,
    "square by operator": lambda x: x**2,
    "cube": lambda x: torch.pow(x, 3),
    "fourth power": lambda x: x.pow(4.0),
    "power": lambda x: x**2.5,
    "power of a number": lambda x: 2**x,
    "power of a number by function": lambda x: torch.pow(2, x),
    "remainder": lambda x: x % 2,
    "floor_divide": lambda x: x // 2,
    "fmod": lambda x: torch.fmod(x, 2),
}
NAMES = ("add", "sub", "mul", "div", "remainder", "fmod", "pow", "atan2", "hypot", "logaddexp", "logaddexp2")
OF_TWO = {
    **{name: getattr(torch, name) for name in NAMES},
    "rsub": torch.rsub,
    "add in place": lambda x, y: (x * 1).add_(y),
    "subtract in place": lambda x, y: (x * 1).sub_(y),
    "addcmul": lambda x, y: torch.addcmul(x, x, y),
    "addcdiv": lambda x, y: torch.addcdiv(x, x, y),
    "lerp": lambda x, y: torch.lerp(x, y, 0.5),
    "lerp by a tensor": lambda x, y: torch.lerp(x, y, y),
    "outer": lambda x, y: torch.outer(x.flatten(), y.flatten()),
    "xlogy": torch.xlogy,
    "xlog1py": torch.special.xlog1py,
    "igamma": torch.igamma,
    "igammac": torch.igammac,
}
OPERANDS = {"of one shape": SHAPE, "broadcast": (6,)}
CASES = {
    **{name: (function, SHAPE) for name, function in WITH_A_NUMBER.items()},
    **{
        f"{name} {kind}": (function, SHAPE, shape)
        for name, function in OF_TWO.items()
        for kind, shape in OPERANDS.items()
    },
}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    # Torch multiplies the number by a reciprocal, and each of the two has a gradient.
    apart = name == "divide a number" and style != "real"
    assert compare_style(style, *CASES[name]) == ({"flops", "flops backward"} if apart else set())


def test_a_divided_number_is_counted_by_its_parts_where_torch_takes_it_apart(trace_style):
    scale, *ops = [op.op for op in trace_style("make_fx", lambda x: 2 / x, SHAPE).ops]
    assert scale == "mul"
    assert sorted(ops) == ["mul", "reciprocal"]


def test_the_gradient_of_a_tensor_taken_from_a_number_is_negated(trace_style):
    for function in (lambda x: 1 - x, lambda x: torch.rsub(x, 1), lambda x: torch.sub(1, x)):
        (sub,) = [each for each in trace_style("eager", function, SHAPE).ops if each.op == "sub"]
        assert OPS["sub"].gradient.work(sub, (0,)) == (Work(arithmetic=288),)
    (sub,) = [each for each in trace_style("eager", lambda x: x - 1, SHAPE).ops if each.op == "sub"]
    assert OPS["sub"].gradient.work(sub, (0,)) == (Work(),)


def test_a_tensor_of_weights_has_a_gradient_in_an_interpolation(trace_style):
    (lerp,) = [
        each for each in trace_style("eager", torch.lerp, SHAPE, SHAPE, SHAPE).ops if each.op == "lerp"
    ]
    assert OPS["lerp"].gradient.work(lerp, (0, 1, 2)) == (
        Work(arithmetic=2 * 288), Work(arithmetic=288), Work(arithmetic=2 * 288),
    )  # fmt: skip
