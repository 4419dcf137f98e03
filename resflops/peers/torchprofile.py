"""torchprofile: the aten ops of a ``torch.jit`` trace, those that it has a handler for.

Read in ``torchprofile/handlers.py``.
"""

from resflops.conventions import Convention, View
from resflops.peers.ops import (
    ADAPTIVE_AVG_POOLS,
    AVG_POOLS,
    CONVOLUTIONS,
    MATRIX_PRODUCTS,
    TRANSPOSED_CONVOLUTIONS,
    charged,
)
from resflops.peers.registry import Defect, Peer, register_peer

__all__ = ["TORCHPROFILE"]

TORCHPROFILE = register_peer(
    Peer(
        name="torchprofile",
        distribution="torchprofile",
        versions=("0.1.0",),
        repository="zhijian-liu/torchprofile",
        conventions=(
            Convention(
                name="torchprofile",
                counts=(
                    "multiply-accumulates, 1 per element of a normalisation with a weight, of an "
                    "average pool's or "
                    "mean's output and of a product of two tensors; biases, activations and maximum pools not"
                ),
                source="torchprofile.profile_macs(model, inputs)",
                views=(
                    View(
                        sees="the aten ops of a torch.jit trace",
                        charges={
                            **charged(
                                (
                                    *CONVOLUTIONS,
                                    *MATRIX_PRODUCTS,
                                    "addmv",
                                    "linear",
                                    "einsum",
                                    "lstm",
                                    "scaled_dot_product_attention",
                                ),
                                macs=1,
                            ),
                            **charged(TRANSPOSED_CONVOLUTIONS, ungrouped_output_taps=1),
                            **charged(
                                ("batch_norm", "layer_norm", "group_norm", "instance_norm"),
                                affine_output_elements=1,
                            ),
                            **charged(
                                (*AVG_POOLS, *ADAPTIVE_AVG_POOLS, "mean", "mul", "leaky_relu"),
                                output_elements=1,
                            ),
                            # It is two products and a pooling, as torch writes it.
                            "local_response_norm": {"output_elements": 3},
                            "interpolate": {"bilinear_elements": 4},
                            "grid_sample": {"output_elements": 4},
                        },
                    ),
                ),
            ),
        ),
        defects=(
            Defect(what="arithmetic on sizes that the trace records counts one per multiplication"),
            Defect(what="a transposed convolution is charged by its output"),
            Defect(what="GRU and RNN count nothing", issue="zhijian-liu/torchprofile#4"),
        ),
    )
)
