"""FlopCounterMode, torch's own counter of the aten ops that reach the dispatcher.

The charges are those of ``torch/utils/flop_counter.py``. It has counted the same aten ops since torch 2.6,
with one exception: since 2.15 it also counts the fused attention of the CPU. Which attention torch fuses
there has changed as well.
"""

from resflops.cost.convention import Convention, View
from resflops.counters.ops import CONVOLUTIONS, MATRIX_PRODUCTS, TRANSPOSED_CONVOLUTIONS, charge_ops
from resflops.counters.registry import Defect, Edition, Peer, register_peer

__all__ = ["FLOP_COUNTER_MODE"]

# A GRU and a plain RNN reach the dispatcher as their matrix products. An LSTM is one fused op on the CPU,
# so it is missing here.
PRODUCTS = charge_ops(
    (
        *CONVOLUTIONS,
        *TRANSPOSED_CONVOLUTIONS,
        *MATRIX_PRODUCTS,
        "linear",
        "einsum",
        "gru",
        "rnn_tanh",
        "rnn_relu",
        "_scaled_mm",
        # What a forward runs that takes gradients itself; products of the backward pass are products.
        "convolution_backward",
    ),
    macs=2,
)


# The kernels compute the scores once more.
ATTENTION_GRADIENTS = charge_ops(
    [f"_scaled_dot_product_{kernel}_attention_backward" for kernel in ("flash", "efficient", "cudnn")],
    recomputing_macs=2,
)
CPU_ATTENTION_GRADIENT = charge_ops(
    ["_scaled_dot_product_flash_attention_for_cpu_backward"], recomputing_macs=2
)


def _build_convention(
    name: str, counts: str, attention: dict[str, int], gradients: dict[str, dict[str, int]] | None = None
) -> Convention:
    """Build the convention of a version, which differs from others by what it charges for attention."""
    return Convention(
        name=name,
        counts=counts,
        source="torch.utils.flop_counter.FlopCounterMode().get_total_flops()",
        per_mac=2,
        views=(
            View(
                sees="the aten ops that reach the dispatcher",
                charges={
                    **PRODUCTS,
                    **ATTENTION_GRADIENTS,
                    **(gradients or {}),
                    "scaled_dot_product_attention": attention,
                },
            ),
        ),
    )


_UNFUSED = (
    "2 per multiply-accumulate of convolutions, matrix products and the attention that torch {versions} "
    "splits into matrix products on the CPU; nothing else"
)

FLOP_COUNTER_MODE = register_peer(
    Peer(
        name="FlopCounterMode",
        distribution="torch",
        versions=("2.15.0",),
        since="2.15",
        repository="pytorch/pytorch",
        conventions=(
            _build_convention(
                "FlopCounterMode",
                "2 per multiply-accumulate of convolutions, matrix products and attention; nothing else",
                {"macs": 2},
                CPU_ATTENTION_GRADIENT,
            ),
        ),
        editions=(
            Edition(
                since="2.6",
                versions=("2.6.0", "2.8.0"),
                conventions=(
                    _build_convention(
                        "FlopCounterMode-2.6",
                        _UNFUSED.format(versions="2.6 to 2.8"),
                        {"unfused_macs_2_6": 2},
                    ),
                ),
            ),
            Edition(
                since="2.9",
                versions=("2.9.1", "2.10.0", "2.12.1", "2.13.0"),
                conventions=(
                    _build_convention(
                        "FlopCounterMode-2.9",
                        _UNFUSED.format(versions="2.9 to 2.13"),
                        {"unfused_macs_2_9": 2},
                    ),
                ),
            ),
            Edition(
                since="2.14",
                versions=("2.14.0", "2.14.1"),
                conventions=(
                    _build_convention(
                        "FlopCounterMode-2.14", _UNFUSED.format(versions="2.14"), {"unfused_macs": 2}
                    ),
                ),
            ),
        ),
        limits=(
            "before torch 2.15 it does not see fused attention on the CPU, and a trace does not record two "
            "reasons for which torch does not fuse: a mask that requires a gradient, and a query, key or "
            "value whose last dimension is strided",
        ),
        defects=(
            Defect(
                what="before torch 2.15, fused attention on the CPU counted nothing",
                issue="pytorch/pytorch#195460",
            ),
            Defect(
                what="in eval mode under no_grad, MultiheadAttention takes a fused path that counts nothing"
            ),
            Defect(what="on the CPU an LSTM is one fused op that counts nothing"),
            Defect(what="custom ops count nothing and are not reported", issue="pytorch/pytorch#131041"),
            Defect(
                what="the backward pass of a grouped convolution is counted as if it had no groups; this "
                "convention counts it by its groups"
            ),
        ),
    )
)
