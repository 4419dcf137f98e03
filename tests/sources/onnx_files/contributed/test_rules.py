"""The outputs of onnxruntime's own operators, against what onnxruntime itself makes of them."""

import pytest

from resflops.errors import ShapeError
from resflops.sources.onnx_files import Given, read_trace
from tests.sources.onnx_files.graphs import one_node

onnxruntime = pytest.importorskip("onnxruntime")

SCALE, ZERO = ("float32", ()), ("uint8", ())
X = ("float32", (2, 3, 8))


def u8(*shape):
    return ("uint8", shape)


def f32(*shape):
    return ("float32", shape)


def i32(*shape):
    return ("int32", shape)


CASES = [
    ("Gelu", {}, [X], 1),
    ("FastGelu", {}, [X, f32(8)], 1),
    ("QuickGelu", {}, [X], 1),
    ("BiasGelu", {}, [X, f32(8)], 1),
    ("Inverse", {}, [f32(2, 3, 3)], 1),
    ("GatherND", {}, [X, ("int64", (4, 2))], 1),
    ("GridSample", {"mode": "bilinear"}, [f32(1, 3, 5, 5), f32(1, 4, 6, 2)], 1),
    ("Trilu", {}, [f32(2, 4, 4)], 1),
    ("SkipLayerNormalization", {}, [X, X, f32(8), f32(8)], 4),
    ("SkipSimplifiedLayerNormalization", {}, [X, X, f32(8)], 4),
    ("EmbedLayerNormalization", {}, [i32(2, 3), i32(2, 3), f32(9, 8), f32(5, 8), f32(2, 8), f32(8), f32(8)], 2),
    ("FusedConv", {"activation": "Relu", "pads": [1, 1, 1, 1]}, [f32(1, 3, 5, 5), f32(4, 3, 3, 3), f32(4)], 1),
    ("FusedMatMul", {"transA": 1, "transB": 1}, [f32(2, 4, 3), f32(2, 5, 4)], 1),
    ("FusedMatMul", {"transBatchA": 1}, [f32(3, 2, 4), f32(2, 4, 5)], 1),
    ("FusedGemm", {"activation": "Relu", "transB": 1}, [f32(2, 3), f32(4, 3), f32(4)], 1),
    ("Attention", {"num_heads": 2}, [X, f32(8, 24), f32(24)], 1),
    ("Attention", {"num_heads": 2, "unidirectional": 1}, [X, f32(8, 24), f32(24), None, f32(2, 2, 2, 5, 4)], 2),
    ("Attention", {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 16]}, [X, f32(8, 32), f32(32)], 1),
    ("MultiHeadAttention", {"num_heads": 2}, [X, f32(2, 5, 8), f32(2, 5, 12)], 1),
    ("MultiHeadAttention", {"num_heads": 2}, [X, f32(2, 2, 5, 4), f32(2, 2, 5, 4)], 1),
    (
        "MultiHeadAttention", {"num_heads": 2},
        [X, X, X, f32(24), None, None, f32(2, 2, 5, 4), f32(2, 2, 5, 4)], 3,
    ),
    (
        "GroupQueryAttention", {"num_heads": 4, "kv_num_heads": 2},
        [f32(1, 3, 32), f32(1, 3, 16), f32(1, 3, 16), f32(1, 2, 5, 8), f32(1, 2, 5, 8), ("int32", 7), ("int32", 8)], 3,
    ),
    (
        "GroupQueryAttention", {"num_heads": 4, "kv_num_heads": 2},
        [f32(1, 3, 64), None, None, f32(1, 2, 5, 8), f32(1, 2, 5, 8), ("int32", 7), ("int32", 8)], 3,
    ),
    ("RotaryEmbedding", {}, [f32(1, 3, 8), ("int64", (1,)), f32(9, 2), f32(9, 2)], 1),
    ("MatMulNBits", {"K": 32, "N": 6, "bits": 4, "block_size": 16}, [f32(2, 3, 32), u8(6, 2, 8), f32(6, 2)], 1),
    ("MatMulBnb4", {"K": 16, "N": 6, "block_size": 16, "quant_type": 1}, [f32(2, 16), u8(48), f32(6)], 1),
    ("GatherBlockQuantized", {"block_size": 16, "bits": 4, "quantize_axis": 1}, [u8(6, 16), ("int64", (2, 3)), f32(6, 2), u8(6, 1)], 1),
    ("DynamicQuantizeMatMul", {}, [f32(2, 4), u8(4, 5), SCALE, ZERO], 1),
    ("MatMulIntegerToFloat", {}, [u8(2, 4), u8(4, 5), SCALE, SCALE, ZERO, ZERO, f32(5)], 1),
    ("DynamicQuantizeLSTM", {"hidden_size": 2, "direction": "forward"}, [f32(5, 1, 3), u8(1, 3, 8), u8(1, 2, 8), f32(1, 16), None, None, None, None, f32(1), u8(1), f32(1), u8(1)], 3),
    ("QLinearAdd", {}, [u8(2, 1, 4), SCALE, ZERO, u8(3, 4), SCALE, ZERO, SCALE, ZERO], 1),
    ("QLinearMul", {}, [u8(2, 1, 4), SCALE, ZERO, u8(3, 4), SCALE, ZERO, SCALE, ZERO], 1),
    ("QLinearSigmoid", {}, [u8(2, 3), SCALE, ZERO, SCALE, ZERO], 1),
    ("QLinearLeakyRelu", {}, [u8(2, 3), SCALE, ZERO, SCALE, ZERO], 1),
    ("QLinearSoftmax", {"opset": 13}, [u8(2, 3), SCALE, ZERO, SCALE, ZERO], 1),
    ("QLinearAveragePool", {"kernel_shape": [2, 2]}, [u8(1, 3, 4, 5), SCALE, ZERO, SCALE, ZERO], 1),
    ("QLinearAveragePool", {"kernel_shape": [2, 2], "channels_last": 1}, [u8(1, 4, 5, 3), SCALE, ZERO, SCALE, ZERO], 1),
    ("QLinearGlobalAveragePool", {}, [u8(1, 3, 4, 5), SCALE, ZERO, SCALE, ZERO], 1),
    ("QLinearGlobalAveragePool", {"channels_last": 1}, [u8(1, 4, 5, 3), SCALE, ZERO, SCALE, ZERO], 1),
    ("QLinearConcat", {"axis": 1}, [SCALE, ZERO, u8(2, 3), SCALE, ZERO, u8(2, 4), SCALE, ZERO], 1),
    ("QLinearWhere", {}, [("bool", (2, 3)), u8(2, 3), SCALE, ZERO, u8(3), SCALE, ZERO, SCALE, ZERO], 1),
    ("QLinearConv", {"channels_last": 1}, [u8(1, 6, 6, 3), SCALE, ZERO, u8(4, 3, 3, 3), SCALE, ZERO, SCALE, ZERO], 1),
    ("QGemm", {"transB": 1}, [u8(2, 3), SCALE, ZERO, u8(4, 3), SCALE, ZERO, i32(4), SCALE, ZERO], 1),
    ("QGemm", {}, [u8(2, 3), SCALE, ZERO, u8(3, 4), SCALE, ZERO], 1),
    ("QAttention", {"num_heads": 2}, [u8(2, 3, 8), u8(8, 24), f32(24), SCALE, SCALE, None, ZERO, ZERO], 1),
    ("NhwcMaxPool", {"kernel_shape": [2, 2]}, [u8(1, 4, 5, 3)], 1),
    ("QuantizeLinear", {}, [f32(2, 3), SCALE, ZERO], 1),
    ("DequantizeLinear", {}, [u8(2, 3), SCALE, ZERO], 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operator", "attributes", "inputs", "outputs"),
    [pytest.param(*case, id=f"{case[0]}-{place}") for place, case in enumerate(CASES)],
)
def test_outputs_have_the_sizes_and_types_that_onnxruntime_gives_them(operator, attributes, inputs, outputs):
    model, given = one_node(f"com.microsoft.{operator}", inputs, outputs, **attributes)
    record = read_trace(model, "net.onnx", Given()).ops[-1]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    made = session.run(None, given)
    assert record.output_shapes == tuple(each.shape for each in made)
    assert record.dtype == str(made[0].dtype)


OTHERS = [
    ("BiasSoftmax", {"axis": 1, "is_inner_broadcast": 0}, [f32(2, 3, 8), f32(1, 3, 8)], [(2, 3, 8)]),
    ("MultiHeadAttention", {"num_heads": 2}, [f32(2, 3, 2, 3, 4)], [(2, 3, 8)]),
    ("MultiHeadAttention", {"num_heads": 2}, [X, f32(2, 5, 2, 2, 4)], [(2, 3, 8)]),
    ("PackedAttention", {"num_heads": 2}, [f32(7, 8), f32(8, 24), f32(24), i32(2, 4), i32(3)], [(7, 8)]),
    ("QLinearReduceMean", {"axes": [1], "keepdims": 0}, [u8(2, 3), SCALE, ZERO, SCALE, ZERO], [(2,)]),
    ("GroupNorm", {"groups": 2, "activation": 1}, [f32(1, 3, 3, 8), f32(8), f32(8)], [(1, 3, 3, 8)]),
    ("SkipGroupNorm", {"groups": 2, "activation": 0}, [f32(1, 3, 3, 8), f32(8), f32(8), f32(1, 3, 3, 8)], [(1, 3, 3, 8)] * 2),
    ("BiasSplitGelu", {}, [f32(2, 3, 8), f32(8)], [(2, 3, 4)]),
    ("BiasAdd", {}, [X, f32(8), X], [(2, 3, 8)]),
    ("Rfft", {"signal_ndim": 1, "onesided": 1}, [X], [(2, 3, 5, 2)]),
    ("Irfft", {"signal_ndim": 1, "onesided": 1}, [f32(2, 3, 5, 2)], [(2, 3, 8)]),
    ("TorchEmbedding", {}, [f32(9, 8), ("int64", (2, 3))], [(2, 3, 8)]),
    ("MoE", {"k": 2, "activation_type": "gelu"}, [X, f32(6, 4), f32(4, 16, 8), None, f32(4, 8, 16)], [(2, 3, 8)]),
    ("GemmFastGelu", {}, [X, f32(8, 5), f32(5)], [(2, 3, 5)]),
    ("NhwcConv", {"pads": [1, 1, 1, 1]}, [f32(1, 6, 6, 3), f32(4, 3, 3, 3)], [(1, 6, 6, 4)]),
    ("NhwcFusedConv", {"activation": "Relu"}, [f32(1, 6, 6, 3), f32(4, 3, 3, 3)], [(1, 4, 4, 4)]),
]  # fmt: skip
"""Operators that onnxruntime has no kernel of on a CPU, with the sizes that its documentation states."""


@pytest.mark.parametrize(
    ("operator", "attributes", "inputs", "shapes"),
    [pytest.param(*case, id=f"{case[0]}-{place}") for place, case in enumerate(OTHERS)],
)
def test_outputs_without_a_kernel_here_have_the_documented_sizes(operator, attributes, inputs, shapes):
    model, _ = one_node(f"com.microsoft.{operator}", inputs, len(shapes), **attributes)
    assert read_trace(model, "net.onnx", Given()).ops[-1].output_shapes == tuple(shapes)


@pytest.mark.parametrize(
    ("operator", "inputs"),
    [
        ("Attention", [X]),
        ("MultiHeadAttention", [X]),
        ("BifurcationDetector", [("int64", (3,)), ("int64", (2,)), ("int64", ())]),
    ],
)
def test_what_a_damaged_or_unknown_node_gives_stays_unknown(operator, inputs):
    model, _ = one_node(f"com.microsoft.{operator}", inputs)
    (record,) = read_trace(model, "net.onnx", Given()).ops
    assert record.op.startswith(f"com.microsoft.{operator}")
    assert record.output_shapes == ((),)


def test_factors_that_do_not_go_together_are_refused():
    model, _ = one_node("com.microsoft.FusedMatMul", [f32(2, 3), f32(4, 5)])
    with pytest.raises(ShapeError, match="2×3, 4×5"):
        read_trace(model, "net.onnx", Given())
