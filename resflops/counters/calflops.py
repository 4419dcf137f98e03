"""calflops, which patches functions of torch.nn.functional and of torch.

The charges are those of ``calflops/pytorch_ops.py``.
"""

from msgspec.structs import replace

from resflops.cost.convention import Convention, View
from resflops.counters.ops import charge_ops
from resflops.counters.patched import CALLED, FLOPS, MACS, RECURRENT_FLOPS, TRANSPOSED_FLOPS, TRANSPOSED_MACS
from resflops.counters.registry import CountsParameters, Defect, Peer, register_peer

__all__ = ["CALFLOPS"]

SEES = "calls of patched functions: torch.nn.functional, torch.matmul, torch.add, torch.mul and their like"

CALFLOPS = register_peer(
    Peer(
        name="calflops",
        distribution="calflops",
        versions=("0.3.1", "0.3.2"),
        repository="MrYxJ/calculate-flops.pytorch",
        counts_parameters=CountsParameters(which="trainable"),
        conventions=(
            Convention(
                name="calflops",
                counts="multiply-accumulates of convolutions and matrix products, without fused attention",
                source="calflops.calculate_flops(model), its second figure: MACs",
                views=(
                    View(sees=SEES, patches="usual", in_each_place=1, charges={**MACS, **TRANSPOSED_MACS}),
                ),
            ),
            Convention(
                name="calflops-flops",
                counts=(
                    "2 per multiply-accumulate, biases of convolutions, "
                    "2 per BatchNorm and 5 per LayerNorm element, "
                    "elements of activations, pools and softmax; not biases of linear layers or fused "
                    "attention"
                ),
                source="calflops.calculate_flops(model), its first figure: FLOPs",
                per_mac=2,
                views=(
                    View(
                        sees=SEES,
                        patches="usual",
                        in_each_place=1,
                        charges={
                            **FLOPS,
                            **TRANSPOSED_FLOPS,
                            # DeepSpeed charges the output of a call with factors.
                            "interpolate": {"requested_or_input_elements": 1},
                        },
                    ),
                    View(
                        sees=CALLED,
                        patches="rare",
                        in_each_place=1,
                        charges=charge_ops(("add", "mul"), left_aligned_elements=1),
                    ),
                    replace(RECURRENT_FLOPS, in_each_place=1),
                ),
            ),
        ),
        limits=(
            "a trace does not distinguish the operator @, which this counter does not see, from "
            "torch.matmul, which it sees",
            "a trace does not show which functions a model imported before the patch, and those are not seen",
        ),
        defects=(
            Defect(
                what="scaled_dot_product_attention is not patched: fused attention counts nothing",
                issue="MrYxJ/calculate-flops.pytorch#48",
            ),
            Defect(
                what="the operator @, torch.bmm and torch.mm count nothing, and einsum counts no MACs",
                issue="MrYxJ/calculate-flops.pytorch#48",
            ),
            Defect(what="the count of a transposed convolution is divided by its groups once too often"),
            Defect(
                what="resizing to a given size counts that size without batch and channels, and resizing by "
                "factors counts the input"
            ),
            Defect(what="a model without parameters is refused"),
            Defect(what="a module that is used in several places counts all its calls in each"),
            Defect(what="parameters that require no gradient are left out"),
            Defect(what="leaves torch.nn.functional patched after an exception"),
        ),
    )
)
