"""Arithmetic of several tensors, and with numbers."""

import operator

import pytest
import torch

from resflops.records import Work
from tests.sources.onnx_files.operators.nodes import (
    Of,
    count_work,
    describe,
    number,
    read_node,
    trace_function,
)

ROWS, COLUMN = (3, 8), (3, 1)
CASES = {
    "Add": (torch.add, ROWS, COLUMN),
    "Add a number": (lambda x: x + 2.0, ROWS, number(2.0)),
    "Sub": (torch.sub, ROWS, ROWS),
    "Sub a number": (lambda x: x - 2.0, ROWS, number(2.0)),
    "Sub from a number": (lambda x: 2.0 - x, number(2.0), ROWS),
    "Mul": (torch.mul, COLUMN, ROWS),
    "Mul by a number": (lambda x: 2.0 * x, number(2.0), ROWS),
    "Div": (torch.div, ROWS, ROWS),
    "Div by a number": (lambda x: x / 2.0, ROWS, number(2.0)),
    "Div of a number": (lambda x: 2.0 / x, number(2.0), ROWS),
    "Mod": (torch.remainder, Of("int64", 3), Of("int64", 3)),
    "Pow": (torch.pow, ROWS, ROWS),
    "Pow 2": (lambda x: x**2, ROWS, number(2.0)),
    "Pow 3 as an integer": (lambda x: x**3, ROWS, number(3, "int64")),
    "Pow 0.5": (lambda x: x**0.5, ROWS, number(0.5)),
    "Pow of a number": (lambda x: 2.0**x, number(2.0), ROWS),
    "Max": (torch.maximum, ROWS, COLUMN),
    "Min": (torch.minimum, ROWS, ROWS),
    "Sum": (torch.add, ROWS, COLUMN),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_function_of_torch(name):
    function, *inputs = CASES[name]
    tensors = [each for each in inputs if isinstance(each, (tuple, Of))]
    node = read_node(name.partition(" ")[0], *inputs)
    assert describe(node) == describe(trace_function(function, *tensors))


def test_a_remainder_may_have_the_sign_of_the_dividend():
    node = read_node("Mod", ROWS, ROWS, fmod=1)
    assert describe(node) == describe(trace_function(torch.fmod, ROWS, ROWS))


@pytest.mark.parametrize(
    ("name", "function"),
    [
        pytest.param("Sum", operator.add, id="sum"),
        pytest.param("Max", torch.maximum, id="maximum"),
        pytest.param("Min", torch.minimum, id="minimum"),
    ],
)
def test_several_tensors_are_folded_one_after_the_other(name, function):
    node = read_node(name, (8,), COLUMN, ROWS)
    assert describe(node) == describe(
        trace_function(lambda a, b, c: function(function(a, b), c), (8,), COLUMN, ROWS)
    )


def test_a_mean_of_tensors_divides_their_sum():
    assert count_work(read_node("Mean", ROWS, ROWS, ROWS)) == Work(arithmetic=24 * 3)


@pytest.mark.parametrize("name", ["Max", "Mean", "Min", "Sum"])
def test_one_tensor_is_what_it_is(name):
    assert count_work(read_node(name, ROWS)) == Work()
