"""The zeros in the weights of ONNX files."""

import numpy as np
import pytest

import resflops
from tests.sources.onnx_files.graphs import constant, model, node, tensor, unknown

HALF = np.array([[[[1.0, 0.0], [0.0, 2.0]]]], "float32")


def count_nonzero(nodes, stored, *inputs):
    net = model(nodes, inputs or [tensor("x", 1, 1, 5, 5)], [unknown("y")], stored)
    cost = resflops.count(net, nonzero=True)
    return cost.nonzero_macs, cost.nonzero_unknown


def test_half_a_kernel_of_zeros_leaves_half_the_work():
    made = [node("Conv", ["x", "w"], ["y"], "conv")]
    assert count_nonzero(made, [constant("w", HALF, "float32")]) == (16 * 2, ())


@pytest.mark.parametrize("elements", [pytest.param(False, id="left out"), pytest.param(True, id="integers")])
def test_weights_that_do_not_tell_their_zeros_are_taken_as_dense(elements):
    if elements:
        stored = [
            constant("w", HALF, "uint8"), constant("scale", 1.0, "float32"), constant("zero", 1, "uint8"),
        ]  # fmt: skip
        names = ["x", "scale", "zero", "w", "scale", "zero", "scale", "zero"]
        made, given = node("QLinearConv", names, ["y"], "conv"), tensor("x", 1, 1, 5, 5, dtype=2)
    else:
        stored = [constant("w", HALF, "float32")]
        stored[0].ClearField("raw_data")
        made, given = node("Conv", ["x", "w"], ["y"], "conv"), tensor("x", 1, 1, 5, 5)
    assert count_nonzero([made], stored, given) == (16 * 4, ("conv",))
