"""What calflops and DeepSpeed share: they patch the functions of torch.nn.functional and of torch.

calflops was made from DeepSpeed's profiler. Both give two figures: MACs, which are those of convolutions
and matrix products alone, and FLOPs, which add an estimate of nearly everything else.
"""

from resflops.cost.convention import Prices, View
from resflops.counters.ops import CONVOLUTIONS, POOLS, TRANSPOSED_CONVOLUTIONS, charge_ops, charge_recurrent

__all__ = [
    "CALLED",
    "FLOPS",
    "LOCAL_RESPONSE",
    "MACS",
    "RECURRENT_FLOPS",
    "TRANSPOSED_FLOPS",
    "TRANSPOSED_MACS",
]

PRODUCTS = ("linear", "matmul", "addmm", "baddbmm")

TRANSPOSED_MACS: dict[str, Prices] = charge_ops(TRANSPOSED_CONVOLUTIONS, twice_grouped_macs=1)
TRANSPOSED_FLOPS: dict[str, Prices] = charge_ops(
    TRANSPOSED_CONVOLUTIONS, twice_grouped_macs=2, shrunk_bias_adds=1
)
"""Transposed convolutions divided by their groups once too often; DeepSpeed fixed this in 0.19.7."""

MACS: dict[str, Prices] = charge_ops((*CONVOLUTIONS, *TRANSPOSED_CONVOLUTIONS, *PRODUCTS), macs=1)

# What torch.nn.functional.local_response_norm calls: two products, a sum, and a pooling.
LOCAL_RESPONSE: dict[str, Prices] = {"local_response_norm": {"input_elements": 3, "padded_elements": 1}}

FLOPS: dict[str, Prices] = {
    **charge_ops((*CONVOLUTIONS, *TRANSPOSED_CONVOLUTIONS), macs=2, bias_adds=1),
    **charge_ops(("linear", "matmul"), macs=2),
    **LOCAL_RESPONSE,
    "einsum": {"rounded_einsum_flops": 1},
    **charge_ops(("addmm", "baddbmm"), macs=2, addend_elements=1),
    **charge_ops(
        ("relu", "prelu", "elu", "leaky_relu", "relu6", "silu", "gelu", "gelu_tanh", "softmax", *POOLS),
        input_elements=1,
    ),
    # Both call 5 per element an estimate, and charge a BatchNorm with it only in training mode.
    "batch_norm": {"input_elements": 1, "affine_input_elements": 1, "training_input_elements": 3},
    **charge_ops(("layer_norm", "group_norm", "instance_norm"), input_elements=4, affine_input_elements=1),
}
"""Neither charges the bias of a linear layer, though both charge that of a convolution."""

CALLED = "calls of torch.add and torch.mul, and of the methods of these names, but no operators"
"""What all three counters that patch functions see of the arithmetic on single elements."""

RECURRENT_FLOPS = View(
    sees="recurrent modules, by hooks",
    # Both subtract one addition per gate and weight matrix (a sum of n products takes n - 1), so an LSTM's
    # 10 per element becomes 2, a GRU's 7 becomes 1, and an RNN's 1 becomes -1.
    charges=charge_recurrent(2, lstm=2, gru=1, rnn=-1),
)
