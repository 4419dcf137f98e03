"""Functions of one tensor."""

import pytest
import torch

from tests.sources.onnx_files.operators.nodes import describe, read_node, trace_function

FUNCTIONS = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor",
    "IsInf", "IsNaN", "Log", "Neg", "Reciprocal", "Round", "Sign", "Sin", "Sinh", "Sqrt", "Tan",
)  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_is_the_function_that_torch_has_of_the_same_name(name):
    assert describe(read_node(name, (2, 3))) == describe(trace_function(getattr(torch, name.lower()), (2, 3)))


@pytest.mark.parametrize(
    ("attributes", "function"),
    [
        pytest.param({"detect_negative": 0}, torch.isposinf, id="positive"),
        pytest.param({"detect_positive": 0}, torch.isneginf, id="negative"),
    ],
)
def test_infinity_of_one_sign_is_another_question(attributes, function):
    assert describe(read_node("IsInf", (2, 3), **attributes)) == describe(trace_function(function, (2, 3)))
