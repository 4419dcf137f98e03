"""torchinfo, which counts every module without modules inside by its parameters and the size of its output.

By ``torchinfo/layer_info.py``, a weight or bias of a convolution is used once per output position, and any
other once per sample. So a linear layer on a sequence counts one position, and a normalisation counts its
parameters.
"""

from resflops.cost.convention import Convention, View
from resflops.counters.ops import CONVOLUTIONS, TRANSPOSED_CONVOLUTIONS, charge_ops
from resflops.counters.registry import CountsParameters, Defect, Peer, register_peer

__all__ = ["TORCHINFO"]

TORCHINFO = register_peer(
    Peer(
        name="torchinfo",
        distribution="torchinfo",
        versions=("1.7.2", "1.8.0"),
        repository="TylerYep/torchinfo",
        counts_parameters=CountsParameters(which="all", tied_each_time=True),
        conventions=(
            Convention(
                name="torchinfo",
                counts=(
                    "parameters times batch size, for convolutions also times output positions: "
                    "multiply-accumulates and biases where a layer is used once per sample; nothing without "
                    "parameters"
                ),
                source="torchinfo.summary(model, input_data=inputs).total_mult_adds",
                views=(
                    View(
                        sees="modules without children, by their parameters",
                        leaves=True,
                        charges={
                            **charge_ops(
                                (
                                    *CONVOLUTIONS,
                                    *TRANSPOSED_CONVOLUTIONS,
                                    "linear",
                                    "batch_norm",
                                    "layer_norm",
                                    "group_norm",
                                    "instance_norm",
                                    "rms_norm",
                                    "prelu",
                                    "embedding",
                                    "bilinear",
                                ),
                                weight_uses=1,
                                bias_uses=1,
                            ),
                            # Weights that are called weight_ih_l0 and the like are used once per position.
                            **charge_ops(("lstm", "gru", "rnn_tanh", "rnn_relu"), macs=1, bias_adds=1),
                        },
                    ),
                ),
            ),
        ),
        defects=(
            Defect(what="normalisations count their parameters, whatever the size of the image"),
            Defect(
                what="a linear layer that works on a sequence counts one position of it",
                issue="TylerYep/torchinfo#77",
            ),
            Defect(
                what="attention counts nothing, because it is not a module without children",
                issue="TylerYep/torchinfo#226",
            ),
            Defect(what="functional calls count nothing", issue="TylerYep/torchinfo#126"),
            Defect(what="tied weights count in every module", issue="TylerYep/torchinfo#322"),
        ),
    )
)
