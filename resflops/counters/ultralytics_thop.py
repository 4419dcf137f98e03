"""ultralytics-thop, a fork of thop: its hooks, on derived classes as well, and a function mode for products.

The charges are those of ``thop/profile.py`` and ``vision/basic_hooks.py`` of that distribution, which
shares its import name with thop.
"""

from resflops.cost.convention import Convention, View
from resflops.counters.ops import (
    ADAPTIVE_AVG_POOLS,
    AVG_POOLS,
    CONVOLUTIONS,
    TRANSPOSED_CONVOLUTIONS,
    charge_ops,
    charge_recurrent,
)
from resflops.counters.registry import CountsParameters, Defect, Edition, Peer, register_peer
from resflops.counters.thop import COUNTED as COUNTED_BY_THOP

__all__ = ["ULTRALYTICS_THOP"]

COUNTED = (
    *COUNTED_BY_THOP, "GroupNorm", "RMSNorm", "LogSoftmax", "Softmin", "Softmax2d",
    "NonDynamicallyQuantizableLinear", "Bilinear",
)  # fmt: skip
"""The classes that the fork charges something for, besides MultiheadAttention."""

MODULES = (
    View(
        sees="modules of the classes of torch.nn that it has a rule for, and of classes derived from them",
        modules=COUNTED,
        subclasses=True,
        charges={
            **charge_ops((*CONVOLUTIONS, *TRANSPOSED_CONVOLUTIONS, "linear"), macs=1),
            **charge_ops(
                ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"),
                input_elements=2,
                affine_input_elements=2,
            ),
            **charge_recurrent(1, lstm=8, gru=7, rnn=1),
            "prelu": {"input_elements": 1},
            **charge_ops(("softmax", "log_softmax"), input_elements=3, softmax_rows=-1),
            **charge_ops(AVG_POOLS, averaged_elements=1, output_elements=1),
            **charge_ops(ADAPTIVE_AVG_POOLS, arithmetic=1, output_elements=1),
            "interpolate": {"bilinear_elements": 11},
        },
    ),
    View(
        sees="the inside of torch.nn.MultiheadAttention, by a rule of its own",
        modules=("MultiheadAttention",),
        subclasses=True,
        charges={
            "linear": {"macs": 1},
            "scaled_dot_product_attention": {
                "macs": 1,
                # The softmax: n exponentials, n - 1 additions and n divisions for each query.
                "attention_scores": 3,
                "attention_queries": -1,
            },
        },
    ),
)

COUNTS = (
    "multiply-accumulates, attention and its softmax, 4 per element of a normalisation with "
    "a weight (2 without), additions and divisions of average pools; not biases, activations or max pools"
)


def _build_convention(edition: str, functions: tuple[str, ...]) -> Convention:
    """Build the convention of a version, given the functions that it sees."""
    # Inside a module with a rule, a product is in that module's own figure already.
    called = View(
        sees="matrix products called as functions, outside of modules with a rule",
        outside=(*COUNTED, "MultiheadAttention"),
        charges=charge_ops(functions, macs=1),
    )
    return Convention(
        name=f"ultralytics-thop{edition}",
        counts=COUNTS,
        source="thop.profile(model, inputs), of the distribution ultralytics-thop",
        views=(*MODULES, called) if functions else MODULES,
    )


ULTRALYTICS_THOP = register_peer(
    Peer(
        name="ultralytics-thop",
        distribution="ultralytics-thop",
        versions=("2.2.3",),
        since="2.2.3",
        repository="ultralytics/thop",
        counts_parameters=CountsParameters(which="all"),
        conventions=(
            _build_convention("", ("matmul", "bmm", "linear", "einsum", "scaled_dot_product_attention")),
        ),
        editions=(
            Edition(since="2.1", versions=("2.1.6",), conventions=(_build_convention("-2.1", ()),)),
            Edition(
                since="2.2",
                versions=("2.2.0", "2.2.1"),
                conventions=(_build_convention("-2.2.0", ("matmul", "bmm", "scaled_dot_product_attention")),),
            ),
            Edition(
                since="2.2.2",
                versions=("2.2.2",),
                conventions=(
                    _build_convention("-2.2.2", ("matmul", "bmm", "einsum", "scaled_dot_product_attention")),
                ),
            ),
        ),
        defects=(
            Defect(what="torch.mm, torch.addmm and torch.baddbmm called as functions count nothing"),
            Defect(what="activations and pools called as functions count nothing"),
            Defect(what="before 2.2, matrix products and attention called as functions counted nothing"),
            Defect(
                what="before 2.2.3, linear layers called as functions counted nothing, before 2.2.2 einsum"
            ),
        ),
    )
)
