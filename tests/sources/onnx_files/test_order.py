"""The order in which the nodes of a graph run."""

import pytest

from resflops.errors import ModelError
from resflops.sources.onnx_files import Given, read_trace
from tests.sources.onnx_files.graphs import BOOL, graph, model, node, tensor, unknown


def test_nodes_out_of_order_are_put_into_order():
    inner = graph([node("Relu", ["late"], ["t"])], [], [unknown("t")])
    other = graph([node("Sigmoid", ["late"], ["e"])], [], [unknown("e")])
    shuffled = model(
        [node("If", ["flag"], ["y"], then_branch=inner, else_branch=other), node("Add", ["x", "x"], ["late"])],
        [tensor("x", 4), tensor("flag", dtype=BOOL)], [unknown("y")],
    )  # fmt: skip
    assert next(op.op for op in read_trace(shuffled, "m.onnx", Given()).ops) == "add"


def test_nodes_in_a_circle_are_refused():
    circle = model(
        [node("Add", ["x", "b"], ["a"], name="first"), node("Relu", ["a"], ["b"], name="second")],
        [tensor("x", 4)], [tensor("b", 4)],
    )  # fmt: skip
    with pytest.raises(ModelError, match=r"m\.onnx: its nodes are in a circle, .*(first|second)"):
        read_trace(circle, "m.onnx", Given())


def test_what_nothing_makes_is_refused():
    lacking = model([node("Add", ["x", "y"], ["z"], name="sum")], [tensor("x", 4)], [tensor("z", 4)])
    with pytest.raises(ModelError, match=r"m\.onnx: Add 'sum' takes 'y', which nothing in the file makes"):
        read_trace(lacking, "m.onnx", Given())
    lacking = model([node("Relu", ["x"], ["y"])], [tensor("x", 4)], [tensor("z", 4)])
    assert read_trace(lacking, "m.onnx", Given()).outputs == ()
