"""onnx-tool, which counts the nodes of an ONNX file, each by the class that it has for its operator.

The charges are those of ``onnx_tool/node.py``. Its "MACs" are instructions: to multiply-accumulates it adds
an estimate for every other element, such as 32 for an exponential.
"""

from resflops.cost.convention import Convention, View
from resflops.counters.ops import (
    ADAPTIVE_AVG_POOLS,
    AVG_POOLS,
    CONVOLUTIONS,
    MATRIX_PRODUCTS,
    TRANSPOSED_CONVOLUTIONS,
    charge_ops,
    list_dimensions,
)
from resflops.counters.registry import CountsParameters, Defect, Peer, register_peer

__all__ = ["ONNX_TOOL"]

PASSED_OVER = (
    "Cast", "Concat", "Constant", "ConstantOfShape", "Gather", "Identity", "Pad", "Reshape", "Shape", "Slice",
    "Squeeze", "Unsqueeze",
)  # fmt: skip
"""Its ``NoMacsOps``."""

ELEMENTS = {
    1: (
        "relu", "add", "sub", "rsub", "mul", "remainder", "fmod", "maximum", "minimum", "neg", "abs", "ceil",
        "floor", "round", "sign", "eq", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor",
        "logical_not", "cumsum",
    ),
    2: ("clamp", "relu6", "hardtanh", "leaky_relu", "prelu", "quantize_per_tensor", "quantize_per_channel",
        "dequantize"),
    4: ("div", "true_divide", "reciprocal", "hardsigmoid"),
    5: ("hardswish",),
    7: ("instance_norm",),
    24: ("sqrt",),
    31: ("batch_norm",),
    32: ("exp", "pow", "sigmoid"),
    34: ("gelu", "gelu_tanh"),
    35: ("elu",),
    36: ("softmax",),
    39: ("sin", "cos"),
    43: ("log",),
    # An arctangent and a tangent are charged twice.
    64: ("atan",),
    76: ("softplus", "tanh"),
    80: ("log_softmax",),
}  # fmt: skip
"""What an element of the output is charged: 1 for an addition, a multiplication or a comparison, 4 for a
division, 24 for a square root, 32 for an exponential or a power, 43 for a logarithm."""

REDUCTIONS = ("mean", "sum", "prod", "amax", "amin")

ONNX_TOOL = register_peer(
    Peer(
        name="onnx-tool",
        distribution="onnx-tool",
        versions=("1.0.1",),
        repository="ThanatosShinji/onnx-tool",
        takes="onnx",
        ask="resflops.crosschecking.graph_files:ask_onnx_tool",
        counts_parameters=CountsParameters(which="initialisers", passed_over=PASSED_OVER),
        conventions=(
            Convention(
                name="onnx-tool",
                counts=(
                    "multiply-accumulates, biases, and an estimate for each element of other operators: "
                    "1 for an addition or a comparison, 4 for a division, 24 for a root, 31 for BatchNorm, "
                    "32 for an exponential, 34 for GELU, 36 for softmax"
                ),
                source="onnx_tool.model_profile(file), its column Forward_MACs",
                views=(
                    View(
                        sees="the nodes of an ONNX file",
                        charges={
                            **charge_ops((*CONVOLUTIONS, *MATRIX_PRODUCTS, "linear"), macs=1, bias_adds=1),
                            **charge_ops(TRANSPOSED_CONVOLUTIONS, output_filter_taps=1, bias_adds=1),
                            "einsum": {"macs": 1},
                            # As exporters write it: two products, and a softmax between them.
                            "scaled_dot_product_attention": {"macs": 1, "attention_scores": 36},
                            **{
                                op: {"array_elements": price} for price, ops in ELEMENTS.items() for op in ops
                            },
                            # Per element 3 products and 4 sums, per row a sum, a root and a division.
                            "layer_norm": {"input_elements": 7, "rows_of_first_axis": 29},
                            "local_response_norm": {"output_elements": 37, "neighbour_products": 1},
                            **charge_ops(
                                (*AVG_POOLS, *list_dimensions("max_pool{}d")), two_dimensional_taps=1
                            ),
                            **charge_ops(ADAPTIVE_AVG_POOLS, input_elements=1, output_elements=4),
                            **charge_ops(REDUCTIONS, input_elements=1),
                            "norm": {"input_elements": 25},
                            # Of the gates it counts one direction.
                            "lstm": {"macs": 1, "bias_adds": 1, "one_way_state_elements": 180},
                            "gru": {"macs": 1, "bias_adds": 1, "one_way_state_elements": 110},
                            "interpolate": {"linear_elements": 4, "cubic_elements": 8},
                        },
                    ),
                ),
            ),
        ),
        limits=(
            "an operator that is several ops to resflops may be charged as one, as Hardmax, Max of three "
            "tensors and an LSTM with peepholes are",
        ),
        defects=(
            Defect(
                what="calls an estimate of instructions MACs, and adds it to multiply-accumulates",
                issue="ThanatosShinji/onnx-tool#7",
            ),
            Defect(what="sizes that the file leaves open are refused", issue="ThanatosShinji/onnx-tool#40"),
            Defect(
                what="a file with an operator that it has no class for, such as If, Loop or "
                "GroupNormalization, is refused",
                issue="ThanatosShinji/onnx-tool#73",
            ),
            Defect(what="a Constant node whose value is a number or a list, and no tensor, is refused"),
            Defect(what="counts what follows from shapes and constants alone"),
            Defect(what="of nodes that share a name, only the last counts"),
            Defect(what="an error function counts nothing, and neither does any number without dimensions"),
            Defect(what="a window of three dimensions counts as one of its first"),
            Defect(what="a transposed convolution is charged by its output"),
            Defect(what="the gates of a bidirectional LSTM or GRU count in one direction only"),
            Defect(
                what="infers other sizes than ONNX does, as of ReduceL2 since opset 18, and counts by them"
            ),
            Defect(what="counts constants as parameters, but not the weights of an embedding"),
        ),
    )
)
