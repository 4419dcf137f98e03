"""Weights of which a byte holds several, and what of a quantised operator is a parameter at all."""

import pytest
from onnx import TensorProto, helper

import resflops
from resflops.errors import ModelError
from tests.sources.onnx_files.graphs import constant, model, node, tensor, unknown, weight

UINT8, UINT4 = TensorProto.UINT8, TensorProto.UINT4


def count_params(operator, given, stored, **attributes):
    names = [given.name, *(each.name for each in stored)]
    made = node(operator, names, ["y"], domain="com.microsoft", **attributes)
    return resflops.count(model([made], [given], [unknown("y")], stored, domains=["com.microsoft"])).params


def test_a_product_by_packed_integers_has_as_many_weights_as_it_multiplies():
    stored = [
        weight("w", 6, 2, 8, dtype="uint8"),
        weight("scales", 6, 2),
        weight("zeros", 6, 1, dtype="uint8"),
    ]
    found = count_params("MatMulNBits", tensor("x", 3, 32), stored, K=32, N=6, bits=4, block_size=16)
    assert found == 32 * 6


@pytest.mark.parametrize(
    ("dtype", "columns"),
    [pytest.param(UINT8, 16, id="two a byte"), pytest.param(UINT4, 32, id="a type of four bits")],
)
def test_a_table_of_four_bits_has_all_its_columns(dtype, columns):
    table = helper.make_tensor("table", dtype, (9, columns), [0] * (9 * columns))
    made = node(
        "GatherBlockQuantized", ["table", "ids", "scales"], ["y"], domain="com.microsoft", bits=4, block_size=16
    )  # fmt: skip
    net = model(
        [made], [tensor("ids", 5, dtype=7)], [unknown("y")], [table, weight("scales", 9, 2)],
        domains=["com.microsoft"],
    )  # fmt: skip
    cost = resflops.count(net)
    assert cost.params == 9 * 32
    assert cost.trace.ops[-1].output_shapes == ((5, 32),)


@pytest.mark.parametrize(("bits", "held"), [(4, 2), (8, 1)])
def test_experts_have_as_many_weights_as_their_bits_say(bits, held):
    width, inner = 8, 16
    stored = [
        weight("first", 4, inner, width // held, dtype="uint8"), weight("s1", 4, inner), weight("b1", 4, inner),
        weight("back", 4, width, inner // held, dtype="uint8"), weight("s2", 4, width),
    ]  # fmt: skip
    names = ["x", "scores", *(each.name for each in stored)]
    made = node("QMoE", names, ["y"], domain="com.microsoft", k=2, expert_weight_bits=bits)
    inputs = [tensor("x", 3, width), tensor("scores", 3, 4)]
    net = model([made], inputs, [unknown("y")], stored, domains=["com.microsoft"])
    cost = resflops.count(net)
    assert (cost.params, cost.macs) == (4 * 2 * width * inner + 4 * inner, 3 * 2 * 2 * width * inner)


def test_a_node_without_its_sizes_is_damaged():
    stored = [weight("w", 6, 2, 8, dtype="uint8")]
    with pytest.raises(ModelError, match="MatMulNBits cannot be read"):
        count_params("MatMulNBits", tensor("x", 3, 32), stored, block_size=16)


def test_an_initialiser_is_a_parameter_if_one_of_its_nodes_takes_it_as_one():
    zeros = constant("zeros", [0] * 4, "int32")
    scale = weight("scale", 4)
    net = model(
        [node("DequantizeLinear", ["zeros", "scale", "zeros"], ["bias"]),
         node("Add", ["x", "bias"], ["y"])],
        [tensor("x", 3, 4)], [unknown("y")], [zeros, scale],
    )  # fmt: skip
    assert resflops.count(net).params == 4


def test_cosines_and_sines_of_positions_are_buffers():
    stored = [weight("cos", 9, 4), weight("sin", 9, 4)]
    net = model(
        [node("RotaryEmbedding", ["x", "cos", "sin", "places"], ["y"])],
        [tensor("x", 2, 4, 3, 8), tensor("places", 2, 3, dtype=7)], [unknown("y")], stored, opset=23,
    )  # fmt: skip
    cost = resflops.count(net)
    assert cost.params == 0
    assert [each.elements for module in cost.trace.modules for each in module.buffers] == [36, 36]


def test_a_weight_that_a_node_makes_of_one_number_is_a_parameter():
    net = model(
        [node("ConstantOfShape", ["shape"], ["w"]), node("Conv", ["x", "w"], ["y"])],
        [tensor("x", 1, 3, 8, 8)], [unknown("y")], [constant("shape", [4, 3, 3, 3])],
    )  # fmt: skip
    cost = resflops.count(net)
    assert (cost.params, cost.macs) == (4 * 27, 36 * 4 * 27)
    assert resflops.count(net, backward=True).backward.macs > 0
