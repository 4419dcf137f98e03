"""Comparisons, limits, logic, bits."""

import pytest
import torch

from tests.sources.onnx_files.operators.nodes import Of, describe, number, read_node, trace_function

ROWS = (3, 8)
WHOLE, TRUTHS = Of("int32", 3, 8), Of("bool", 3, 8)
CASES = {
    "Equal": (torch.eq, ROWS, ROWS),
    "Greater": (torch.gt, ROWS, (8,)),
    "Greater than a number": (lambda x: x > 0, ROWS, number(0.0)),
    "GreaterOrEqual": (torch.ge, ROWS, ROWS),
    "Less": (torch.lt, ROWS, ROWS),
    "LessOrEqual": (torch.le, ROWS, ROWS),
    "And": (torch.logical_and, TRUTHS, TRUTHS),
    "Or": (torch.logical_or, TRUTHS, TRUTHS),
    "Xor": (torch.logical_xor, TRUTHS, TRUTHS),
    "Not": (torch.logical_not, TRUTHS),
    "BitwiseAnd": (torch.bitwise_and, WHOLE, WHOLE),
    "BitwiseNot": (torch.bitwise_not, WHOLE),
    "BitwiseOr": (torch.bitwise_or, WHOLE, WHOLE),
    "BitwiseXor": (torch.bitwise_xor, WHOLE, WHOLE),
    "Clip": (lambda x: x.clamp(0.0, 6.0), ROWS, number(0.0), number(6.0)),
    "Clip from below": (lambda x: x.clamp(min=0.0), ROWS, number(0.0)),
    "Clip from above": (lambda x: x.clamp(max=1.0), ROWS, None, number(1.0)),
    "Clip by what is computed": (lambda x, low: x.clamp(low, low), ROWS, ()),
}


@pytest.mark.parametrize("name", [name for name in CASES if name != "Clip by what is computed"])
def test_it_is_the_function_of_torch(name):
    function, *inputs = CASES[name]
    tensors = [each for each in inputs if isinstance(each, (tuple, Of))]
    node = read_node(name.partition(" ")[0], *inputs)
    assert describe(node) == describe(trace_function(function, *tensors))


def test_a_limit_that_is_computed_is_an_input():
    node = read_node("Clip", ROWS, (), number(6.0))
    (record,) = node
    assert (record.input_shapes, record.attributes) == ((ROWS, ()), {"max": 6.0})
    own = trace_function(lambda x, low: x.clamp(low, torch.tensor(6.0)), ROWS, ())
    assert own[-1].op == record.op == "clamp"


def test_limits_were_attributes_before_opset_11():
    node = read_node("Clip", ROWS, opset=7, min=0.0, max=6.0)
    assert describe(node) == describe(trace_function(lambda x: x.clamp(0.0, 6.0), ROWS))


@pytest.mark.parametrize(
    ("direction", "function"),
    [
        pytest.param("LEFT", torch.bitwise_left_shift, id="left"),
        pytest.param("RIGHT", torch.bitwise_right_shift, id="right"),
    ],
)
def test_bits_are_shifted(direction, function):
    unsigned = Of("uint8", 4)
    node = read_node("BitShift", unsigned, unsigned, direction=direction)
    assert describe(node) == describe(trace_function(function, unsigned, unsigned))


@pytest.mark.parametrize("name", ["GreaterOrEqual", "LessOrEqual"])
def test_shapes_are_known_of_a_version_of_which_onnx_tells_none(name):
    assert describe(read_node(name, ROWS, ROWS, opset=12)) == describe(read_node(name, ROWS, ROWS))


def test_floats_are_compared_in_an_opset_that_has_only_integers():
    assert describe(read_node("Equal", ROWS, ROWS, opset=9)) == describe(read_node("Equal", ROWS, ROWS))
