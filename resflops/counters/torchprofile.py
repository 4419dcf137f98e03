"""torchprofile, which counts those aten ops of a ``torch.jit`` trace that it has a handler for.

The charges are those of ``torchprofile/handlers.py``.
"""

from resflops.cost.convention import Convention, View
from resflops.counters.ops import (
    ADAPTIVE_AVG_POOLS,
    AVG_POOLS,
    CONVOLUTIONS,
    MATRIX_PRODUCTS,
    TRANSPOSED_CONVOLUTIONS,
    charge_ops,
)
from resflops.counters.registry import Defect, Edition, Peer, register_peer

__all__ = ["TORCHPROFILE"]


def _build_convention(name: str, counts: str, products: tuple[str, ...]) -> Convention:
    """Build the convention of a version, given the products that it has a handler for besides plain ones."""
    return Convention(
        name=name,
        counts=counts,
        source="torchprofile.profile_macs(model, inputs)",
        views=(
            View(
                sees="the aten ops of a torch.jit trace",
                # It has no handler for leaky_relu_, but one for mul_.
                not_in_place=("leaky_relu",),
                charges={
                    **charge_ops((*CONVOLUTIONS, *MATRIX_PRODUCTS, "addmv", "linear", *products), macs=1),
                    # Its handler takes the first size of the weight for the input channels, which leaves
                    # the groups out.
                    **charge_ops(TRANSPOSED_CONVOLUTIONS, ungrouped_output_taps=1),
                    **charge_ops(
                        ("batch_norm", "layer_norm", "group_norm", "instance_norm"),
                        affine_output_elements=1,
                    ),
                    **charge_ops(
                        (*AVG_POOLS, *ADAPTIVE_AVG_POOLS, "mean", "mul", "leaky_relu"),
                        output_elements=1,
                    ),
                    # As torch writes it, it is two products and an average pool.
                    "local_response_norm": {"output_elements": 3},
                    "interpolate": {"bilinear_elements": 4},
                    "grid_sample": {"output_elements": 4},
                },
            ),
        ),
    )


COUNTS = (
    "multiply-accumulates, 1 per element of a normalisation with a weight, of an average pool's or mean's "
    "output and of a product of two tensors; not biases, activations or max pools"
)

TORCHPROFILE = register_peer(
    Peer(
        name="torchprofile",
        distribution="torchprofile",
        versions=("0.1.0",),
        since="0.1.0",
        repository="zhijian-liu/torchprofile",
        conventions=(
            _build_convention("torchprofile", COUNTS, ("einsum", "lstm", "scaled_dot_product_attention")),
        ),
        editions=(
            Edition(
                since="0.0.4",
                versions=("0.0.4",),
                conventions=(
                    _build_convention(
                        "torchprofile-0.0.4", f"{COUNTS}, nor fused attention, einsum or LSTMs", ()
                    ),
                ),
            ),
        ),
        defects=(
            Defect(what="arithmetic on sizes that the trace records counts one per multiplication"),
            Defect(what="an in-place leaky ReLU counts nothing, and any other counts its output"),
            Defect(what="a transposed convolution is charged by its output"),
            Defect(what="before 0.1.0, fused attention, einsum and LSTM counted nothing"),
            Defect(what="GRU and RNN count nothing", issue="zhijian-liu/torchprofile#4"),
        ),
    )
)
