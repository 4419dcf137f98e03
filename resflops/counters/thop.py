"""thop, which hooks every module whose class is exactly one that it has a rule for.

The charges are those of ``thop/profile.py``, ``vision/basic_hooks.py`` and ``rnn_hooks.py``.
"""

from resflops.cost.convention import Convention, View
from resflops.counters.ops import (
    ADAPTIVE_AVG_POOLS,
    AVG_POOLS,
    BATCH_NORMS,
    CONVOLUTIONS,
    INSTANCE_NORMS,
    TRANSPOSED_CONVOLUTIONS,
    charge_ops,
    charge_recurrent,
    list_dimensions,
)
from resflops.counters.registry import CountsParameters, Defect, Peer, register_peer

__all__ = ["THOP"]

COUNTED = (
    *list_dimensions("Conv{}d"), *list_dimensions("ConvTranspose{}d"),
    *BATCH_NORMS, "SyncBatchNorm", "LayerNorm", *INSTANCE_NORMS, "PReLU", "Softmax",
    *list_dimensions("AvgPool{}d"), *list_dimensions("AdaptiveAvgPool{}d"),
    "Linear", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d",
    "RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell",
)  # fmt: skip
"""The classes that thop charges something for.

Others have a rule that charges nothing; these hold no parameters."""

THOP = register_peer(
    Peer(
        name="thop",
        distribution="thop",
        versions=("0.1.1.post2207130030", "0.1.1.post2209072238"),
        repository="Lyken17/pytorch-OpCounter",
        counts_parameters=CountsParameters(which="modules", modules=COUNTED, tied_each_time=True),
        conventions=(
            Convention(
                name="thop",
                counts=(
                    "multiply-accumulates, 4 per element of a normalisation with a weight (2 without), "
                    "average pools, softmax and upsamplings, all only in modules of torch.nn; not biases, "
                    "activations or max pools"
                ),
                source="thop.profile(model, inputs)",
                views=(
                    View(
                        in_each_place=2,
                        sees="modules of exactly the classes of torch.nn that it has a rule for",
                        modules=COUNTED,
                        charges={
                            # One rule for both: the output times the channels and taps that a plain
                            # convolution has, whichever of the two it is.
                            **charge_ops((*CONVOLUTIONS, *TRANSPOSED_CONVOLUTIONS), output_taps=1),
                            "linear": {"macs": 1},
                            **charge_ops(
                                ("batch_norm", "layer_norm", "instance_norm"),
                                input_elements=2,
                                affine_input_elements=2,
                            ),
                            # One activation a gate and the arithmetic between the gates: 4 + 3 + 1
                            # for an LSTM, 3 + 1 + 3 for a GRU.
                            **charge_recurrent(1, lstm=8, gru=7, rnn=1),
                            "prelu": {"input_elements": 1},
                            # n exponentials, n - 1 additions and n divisions for a vector of n.
                            "softmax": {"input_elements": 3, "softmax_rows": -1},
                            **charge_ops(AVG_POOLS, output_elements=1),
                            **charge_ops(ADAPTIVE_AVG_POOLS, adaptive_window_elements=1),
                            "interpolate": {"nearest_elements": 1, "bilinear_elements": 11},
                        },
                    ),
                ),
            ),
        ),
        defects=(
            Defect(
                what="MultiheadAttention counts nothing, and its parameters are missed",
                issue="Lyken17/pytorch-OpCounter#197",
            ),
            Defect(
                what="function calls count nothing: F.relu, F.linear, torch.matmul",
                issue="Lyken17/pytorch-OpCounter#174",
            ),
            Defect(what="the calls of a module that is registered in n places count n squared times"),
            Defect(what="a class derived from one that it knows counts nothing"),
            Defect(
                what="leaves buffers in the model after an exception", issue="Lyken17/pytorch-OpCounter#82"
            ),
            Defect(what="calls multiply-accumulates FLOPs", issue="Lyken17/pytorch-OpCounter#61"),
            Defect(what="a transposed convolution is charged by its output, with the input's channels"),
        ),
    )
)
