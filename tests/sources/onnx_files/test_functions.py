"""Functions that a file defines for its nodes."""

import pytest
from onnx import AttributeProto, helper

import resflops
from resflops.errors import ModelError
from resflops.sources.onnx_files import Given, read_trace
from tests.sources.onnx_files.graphs import model, node, tensor, weight

DOMAIN = "my.blocks"


def function(name, inputs, outputs, nodes, attributes=()):
    imports = [helper.make_opsetid("", 20), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_function(DOMAIN, name, inputs, outputs, nodes, imports, attributes)


def call(operator, inputs, outputs, **attributes):
    return node(operator, inputs, outputs, domain=DOMAIN, **attributes)


def read(model):
    return read_trace(model, "m.onnx", Given())


def make_convolution():
    inner = node("Conv", ["x", "w", "b"], ["y"])
    kind = AttributeProto.INTS
    inner.attribute.append(AttributeProto(name="strides", type=kind, ref_attr_name="steps"))
    return function("Block", ["x", "w", "b"], ["out"], [inner, node("Relu", ["y"], ["out"])], ["steps"])


def test_a_call_costs_what_the_nodes_in_it_do_and_belongs_to_its_layer():
    blocks = [
        call("Block", ["x", "first.weight", "first.bias"], ["h"], name="stem", steps=[2, 2]),
        call("Block", ["h", "second.weight"], ["y"], name="/stage/second/Block", steps=[1, 1]),
    ]
    trace = read(
        model(
            blocks, [tensor("x", 1, 3, 9, 9)], [tensor("y", 1, 4, 2, 2)],
            [weight("first.weight", 4, 3, 3, 3), weight("first.bias", 4), weight("second.weight", 4, 4, 3, 3)],
            functions=[make_convolution()], domains=[DOMAIN],
        )
    )  # fmt: skip
    assert [(op.op, op.layer) for op in trace.ops] == [
        ("conv2d", "stem"), ("relu", "stem"), ("conv2d", "stage.second"), ("relu", "stage.second"),
    ]  # fmt: skip
    assert [op.attributes.get("bias") for op in trace.ops] == [True, None, False, None]
    assert resflops.count(trace).macs == 4 * 4 * 4 * 27 + 4 * 2 * 2 * 36


def test_functions_may_call_functions():
    inner = function("Square", ["x"], ["y"], [node("MatMul", ["x", "x"], ["y"])])
    outer = function("Twice", ["x"], ["z"], [
        call("Square", ["x"], ["y"], name="one"), call("Square", ["y"], ["z"], name="two"),
    ])  # fmt: skip
    nested = model(
        [call("Twice", ["x"], ["y"], name="block")], [tensor("x", 4, 4)], [tensor("y", 4, 4)],
        functions=[inner, outer], domains=[DOMAIN],
    )  # fmt: skip
    assert [(op.layer, op.producers) for op in read(nested).ops] == [
        ("block.one", (-1, -1)),
        ("block.two", (0, 0)),
    ]


def test_functions_in_a_circle_are_refused():
    circle = function("Round", ["x"], ["y"], [call("Round", ["x"], ["y"])])
    with pytest.raises(
        ModelError, match=r"m\.onnx: its functions call each other in a circle, among them Round"
    ):
        read(model([call("Round", ["x"], ["y"])], [tensor("x", 1)], [tensor("y", 1)], functions=[circle]))


def test_functions_that_multiply_are_refused(monkeypatch):
    monkeypatch.setattr("resflops.sources.onnx_files.walk.MOST_NODES", 1000)
    doubling = [function("F0", ["x"], ["y"], [node("Relu", ["x"], ["y"])])]
    for level in range(1, 12):
        name = f"F{level - 1}"
        doubling.append(
            function(f"F{level}", ["x"], ["y"], [call(name, ["x"], ["h"]), call(name, ["h"], ["y"])])
        )
    with pytest.raises(ModelError, match="more than 1,000 nodes would run in one pass"):
        read(model([call("F11", ["x"], ["y"])], [tensor("x", 1)], [tensor("y", 1)], functions=doubling))
