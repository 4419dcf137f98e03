"""fvcore, which counts those aten ops of a ``torch.jit`` trace that it has a handle for.

The charges are those of ``fvcore/nn/flop_count.py`` and ``jit_handles.py``. Its "flops" are
multiply-adds, to which it adds estimates for normalisations, and elements of pools and upsamplings.
"""

from resflops.cost.convention import Convention, View
from resflops.counters.ops import CONVOLUTIONS, TRANSPOSED_CONVOLUTIONS, charge_ops
from resflops.counters.registry import CountsParameters, Defect, Peer, register_peer

__all__ = ["FVCORE"]

FVCORE = register_peer(
    Peer(
        name="fvcore",
        distribution="fvcore",
        versions=("0.1.5.post20220512", "0.1.5.post20221221"),
        repository="facebookresearch/fvcore",
        counts_parameters=CountsParameters(which="all"),
        conventions=(
            Convention(
                name="fvcore",
                counts=(
                    "multiply-accumulates, 2 per BatchNorm element, 5 per LayerNorm or GroupNorm element, "
                    "the inputs of adaptive average pools, the outputs of upsamplings; not biases, "
                    "activations, other pools or fused attention"
                ),
                source="fvcore.nn.FlopCountAnalysis(model, inputs).total()",
                views=(
                    View(
                        sees="the aten ops of a torch.jit trace",
                        charges={
                            **charge_ops(
                                (
                                    *CONVOLUTIONS,
                                    *TRANSPOSED_CONVOLUTIONS,
                                    "linear",
                                    "addmm",
                                    "bmm",
                                    "matmul",
                                    "mm",
                                ),
                                macs=1,
                            ),
                            # fvcore parses what numpy.einsum_path prints, which has four digits.
                            "einsum": {"rounded_einsum_macs": 1},
                            # In training mode fvcore charges a BatchNorm like any other normalisation,
                            # 5 per element: "just a rough estimate", says its source.
                            "batch_norm": {
                                "input_elements": 1,
                                "affine_input_elements": 1,
                                "training_input_elements": 3,
                            },
                            **charge_ops(
                                ("layer_norm", "group_norm", "instance_norm"),
                                input_elements=4,
                                affine_input_elements=1,
                            ),
                            "adaptive_avg_pool2d": {"input_elements": 1},
                            "interpolate": {"nearest_elements": 1, "bilinear_elements": 4},
                            "grid_sample": {"output_elements": 4},
                        },
                    ),
                ),
            ),
        ),
        defects=(
            Defect(what="scaled_dot_product_attention has no handle: fused attention counts nothing"),
            Defect(
                what="adds multiply-adds and single operations into one number that it calls flops",
                issue="facebookresearch/fvcore#69",
            ),
            Defect(what="an einsum is counted to four digits, as numpy.einsum_path prints it"),
            Defect(what="recurrent layers count nothing", issue="facebookresearch/fvcore#98"),
        ),
    )
)
