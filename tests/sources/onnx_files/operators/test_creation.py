"""Tensors that are made from no other tensor."""

import pytest

from resflops.ops import OPS
from tests.sources.onnx_files.operators.nodes import Of, read_node

CASES = {
    "ConstantOfShape": ([Of("int64", 2)], {}, "full"),
    "EyeLike": ([(3, 3)], {}, "eye"),
    "RandomNormal": ([], {"shape": [2, 3]}, "randn"),
    "RandomNormalLike": ([(2, 3)], {}, "randn_like"),
    "RandomUniform": ([], {"shape": [2, 3]}, "rand"),
    "RandomUniformLike": ([(2, 3)], {}, "rand_like"),
    "Range": ([(), (), ()], {}, "arange"),
}


@pytest.mark.parametrize("name", CASES)
def test_it_computes_nothing_and_takes_nothing(name):
    inputs, attributes, op = CASES[name]
    (node,) = read_node(name, *inputs, **attributes)
    assert (node.op, bool(OPS[op].free)) == (op, True)
    if name.startswith("Random") or name == "EyeLike":
        assert node.input_shapes == ()


@pytest.mark.parametrize(
    ("name", "op"), [("Bernoulli", "bernoulli"), ("Multinomial", "multinomial")], ids=["truths", "classes"]
)
def test_random_choices_are_free(name, op):
    (node,) = read_node(name, (2, 3))
    assert (node.op, bool(OPS[op].free)) == (op, True)
