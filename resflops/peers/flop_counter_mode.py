"""FlopCounterMode, torch's own: the aten ops that reach the dispatcher.

Read in ``torch/utils/flop_counter.py``.
"""

from resflops.conventions import Convention, View
from resflops.peers.ops import CONVOLUTIONS, MATRIX_PRODUCTS, TRANSPOSED_CONVOLUTIONS, charged
from resflops.peers.registry import Defect, Peer, register_peer

__all__ = ["FLOP_COUNTER_MODE"]

FLOP_COUNTER_MODE = register_peer(
    Peer(
        name="FlopCounterMode",
        distribution="torch",
        versions=("2.15.0",),
        repository="pytorch/pytorch",
        conventions=(
            Convention(
                name="FlopCounterMode",
                counts=(
                    "2 per multiply-accumulate of convolutions, matrix products and attention; nothing else"
                ),
                source="torch.utils.flop_counter.FlopCounterMode().get_total_flops()",
                per_mac=2,
                views=(
                    View(
                        sees="the aten ops that reach the dispatcher",
                        charges=charged(
                            (
                                *CONVOLUTIONS,
                                *TRANSPOSED_CONVOLUTIONS,
                                *MATRIX_PRODUCTS,
                                "linear",
                                "einsum",
                                "scaled_dot_product_attention",
                                "gru",
                                "rnn_tanh",
                                "rnn_relu",
                            ),
                            macs=2,
                        ),
                    ),
                ),
            ),
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
            Defect(what="the backward pass of a grouped convolution is counted as if it had no groups"),
        ),
    )
)
