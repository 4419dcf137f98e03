"""DeepSpeed's FLOPs profiler, which patches functions of torch.nn.functional and of torch.

The charges are those of ``deepspeed/profiling/flops_profiler/profiler.py``.
"""

from resflops.cost.convention import Convention, Prices, View
from resflops.counters.ops import charge_ops
from resflops.counters.patched import CALLED, FLOPS, MACS, RECURRENT_FLOPS, TRANSPOSED_FLOPS, TRANSPOSED_MACS
from resflops.counters.registry import CountsParameters, Defect, Edition, Peer, register_peer

__all__ = ["DEEPSPEED"]

SEES = "calls of patched functions: torch.nn.functional, torch.matmul, torch.add, torch.mul and their like"
MORE = ("mm", "bmm", "scaled_dot_product_attention")
"""Functions that DeepSpeed patches and calflops does not."""


def _build_conventions(
    edition: str, macs: dict[str, Prices], flops: dict[str, Prices]
) -> tuple[Convention, Convention]:
    """Build the two conventions of a version.

    Args:
        edition: the end of their names.
        macs: what the version charges for transposed convolutions in its MACs.
        flops: what it charges for them in its FLOPs.
    """
    return (
        Convention(
            name=f"DeepSpeed{edition}",
            counts="multiply-accumulates of convolutions, matrix products and attention, without einsum",
            source="deepspeed's get_model_profile(model), its second figure: MACs",
            views=(View(sees=SEES, patches="usual", charges={**MACS, **macs, **charge_ops(MORE, macs=1)}),),
        ),
        Convention(
            name=f"DeepSpeed-flops{edition}",
            counts=(
                "2 per multiply-accumulate, biases of convolutions, 2 per BatchNorm and 5 per LayerNorm "
                "element, elements of activations, pools and softmax; not biases of linear layers"
            ),
            source="deepspeed's get_model_profile(model), its first figure: FLOPs",
            per_mac=2,
            views=(
                View(
                    sees=SEES,
                    patches="usual",
                    charges={
                        **FLOPS,
                        **flops,
                        **charge_ops(MORE, macs=2),
                        "interpolate": {"requested_elements": 1},
                    },
                ),
                View(sees=CALLED, patches="rare", charges=charge_ops(("add", "mul"), output_elements=1)),
                RECURRENT_FLOPS,
            ),
        ),
    )


DEEPSPEED = register_peer(
    Peer(
        name="DeepSpeed",
        distribution="deepspeed",
        versions=("0.19.7", "0.19.8"),
        since="0.19.7",
        repository="deepspeedai/DeepSpeed",
        counts_parameters=CountsParameters(which="all"),
        # Since 0.19.7 a transposed convolution costs what MACS and FLOPS say, so nothing replaces it.
        conventions=_build_conventions("", {}, {}),
        editions=(
            Edition(
                since="0.18",
                versions=("0.18.9", "0.19.0", "0.19.4", "0.19.5", "0.19.6"),
                conventions=_build_conventions("-0.18", TRANSPOSED_MACS, TRANSPOSED_FLOPS),
            ),
        ),
        limits=(
            "a trace does not show which functions a model imported before the patch, and those are not seen",
        ),
        defects=(
            Defect(
                what="before it patched them, fused attention and the operator @ counted nothing",
                issue="deepspeedai/DeepSpeed#4723",
            ),
            Defect(what="einsum counts FLOPs but no MACs"),
            Defect(what="resizing to a size counts the size without batch and channels"),
            Defect(
                what="before 0.19.7, the count of a transposed convolution was divided by its groups once "
                "too often"
            ),
            Defect(what="changes the model it profiles", issue="deepspeedai/DeepSpeed#2292"),
        ),
    )
)
