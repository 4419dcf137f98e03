"""ptflops, with its two backends: hooks on modules together with patched functions, or aten ops.

The charges are those of ``ptflops/pytorch_ops.py``, ``pytorch_engine.py`` and ``aten_ops.py``. The pytorch
backend, the default, adds up what its hooks see and what its patched functions see: a module whose
forward calls a patched function is charged twice.
"""

from msgspec.structs import replace

from resflops.cost.convention import Convention, View
from resflops.counters.ops import (
    BATCH_NORMS,
    CONVOLUTIONS,
    INSTANCE_NORMS,
    POOLS,
    RECURRENT,
    TRANSPOSED_CONVOLUTIONS,
    charge_ops,
    charge_recurrent,
    list_dimensions,
)
from resflops.counters.patched import CALLED, LOCAL_RESPONSE
from resflops.counters.registry import CountsParameters, Defect, Edition, Peer, register_peer

__all__ = ["PTFLOPS", "PTFLOPS_ATEN"]

POOL_MODULES = tuple(
    name.format(kind, n)
    for name in ("{}Pool{}d", "Adaptive{}Pool{}d")
    for kind in ("Max", "Avg")
    for n in (1, 2, 3)
)
ACTIVATIONS = ("relu", "prelu", "elu", "leaky_relu", "hardtanh", "relu6", "gelu", "gelu_tanh")
# SiLU and softmax are patched as functions and have no hook; LeakyReLU has a hook and no patch.
PATCHED_ACTIVATIONS = ("relu", "prelu", "elu", "relu6", "gelu", "gelu_tanh", "silu")
TWICE = {
    "ReLU": "relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "GELU": "gelu",
}

_BY_MODULES = View(
    sees="modules of exactly the classes of torch.nn that it has a hook for",
    in_each_place=1,
    modules=(
        *list_dimensions("Conv{}d"), *list_dimensions("ConvTranspose{}d"),
        "ReLU", "PReLU", "ELU", "LeakyReLU", "ReLU6", "GELU", *POOL_MODULES, *BATCH_NORMS, *INSTANCE_NORMS,
        "GroupNorm", "LayerNorm", "Linear", "Upsample", *RECURRENT,
    ),
    charges={
        **charge_ops((*CONVOLUTIONS, *TRANSPOSED_CONVOLUTIONS, "linear"), macs=1, bias_adds=1),
        **charge_ops(ACTIVATIONS, output_elements=1),
        **charge_ops(POOLS, input_elements=1),
        **charge_ops(
            ("batch_norm", "instance_norm", "group_norm"), input_elements=1, affine_input_elements=1
        ),
        # The hook doubles for an attribute named affine; a LayerNorm's is named elementwise_affine.
        "layer_norm": {"input_elements": 1},
        **charge_recurrent(1, lstm=10, gru=7, rnn=1),
        # Its hook takes output[0] for the output of a module that may return several: it is the first sample.
        "interpolate": {"first_output_elements": 1},
    },
)  # fmt: skip

_ATTENTION = View(
    sees="the inside of torch.nn.MultiheadAttention, by a hook of its own",
    in_each_place=1,
    modules=("MultiheadAttention",),
    charges={
        "linear": {"macs": 1, "bias_adds": 1},
        "scaled_dot_product_attention": {"macs": 1, "input_elements": 1, "attention_scores": 1},
    },
)

_AGAIN = View(
    sees="calls of patched functions of torch.nn.functional, including those by hooked modules",
    patches="usual",
    modules=(*TWICE, *POOL_MODULES, "Upsample"),
    charges={
        **charge_ops((*TWICE.values(), "gelu_tanh", *POOLS), input_elements=1),
        "interpolate": {"output_elements": 1},
    },
    again="counted twice: by a hook on the module and by a patch of the function that it calls",
)

_FUNCTIONS = View(
    sees="calls of patched functions outside of hooked modules",
    patches="usual",
    outside=(*TWICE, *POOL_MODULES, "Upsample", "ReLU6", "LeakyReLU", "MultiheadAttention", "Linear"),
    charges={
        **charge_ops((*PATCHED_ACTIVATIONS, "softmax", *POOLS), input_elements=1),
        **charge_ops(("matmul", "mm", "bmm"), macs=1),
        **charge_ops(("addmm", "baddbmm"), macs=1, addend_elements=1),
        "interpolate": {"output_elements": 1},
        **LOCAL_RESPONSE,
    },
)


_ELEMENTWISE = View(sees=CALLED, patches="rare", charges=charge_ops(("add", "mul"), left_aligned_elements=1))


def _register_backend(
    convention: Convention,
    *,
    versions: tuple[str, ...],
    since: str,
    editions: tuple[Edition, ...],
    decided_by: str = "",
    limits: tuple[str, ...],
    defects: tuple[Defect, ...],
) -> Peer:
    """Register one of the two backends as a peer of its own, with the name of its convention."""
    return register_peer(
        Peer(
            name=convention.name,
            distribution="ptflops",
            versions=versions,
            since=since,
            editions=editions,
            decided_by=decided_by,
            repository="sovrasov/flops-counter.pytorch",
            counts_parameters=CountsParameters(which="trainable"),
            conventions=(convention,),
            limits=limits,
            defects=(*defects, Defect(what="parameters that require no gradient are left out")),
        )
    )


def _build_hooks_convention(name: str, modules: View) -> Convention:
    """Build the convention of a version of the pytorch backend, given what its hooks on modules charge."""
    return Convention(
        name=name,
        counts=(
            "multiply-accumulates, biases, 2 per BatchNorm element (1 per LayerNorm's), the elements of "
            "activations and the inputs of pools, both twice where they are modules; attention only in "
            "MultiheadAttention"
        ),
        source="ptflops.get_model_complexity_info(model, shape), with its backend pytorch",
        views=(modules, _ATTENTION, _AGAIN, _FUNCTIONS, _ELEMENTWISE),
    )


_BY_OUTPUTS = charge_ops(TRANSPOSED_CONVOLUTIONS, output_taps=1, bias_adds=1)
"""Transposed convolutions as if each output element read a whole kernel."""

PTFLOPS = _register_backend(
    _build_hooks_convention("ptflops", _BY_MODULES),
    versions=("0.7.5",),
    since="0.7.5",
    editions=(
        Edition(
            since="0.7.3",
            versions=("0.7.3", "0.7.4"),
            conventions=(
                _build_hooks_convention(
                    "ptflops-0.7.3", replace(_BY_MODULES, charges={**_BY_MODULES.charges, **_BY_OUTPUTS})
                ),
            ),
        ),
    ),
    limits=(
        "a trace does not distinguish the operator @, which this counter does not see, from torch.matmul, "
        "which it sees",
        "a trace does not show which functions a model imported before the patch, and those are not seen",
    ),
    defects=(
        Defect(what="activations and pools that are modules count twice"),
        Defect(what="functional linear layers count nothing"),
        Defect(
            what="attention outside of MultiheadAttention counts its matmuls at most",
            issue="sovrasov/flops-counter.pytorch#77",
        ),
        Defect(
            what="attention in a TransformerEncoderLayer without trainable parameters counts nothing",
            issue="sovrasov/flops-counter.pytorch#101",
        ),
        Defect(what="a class derived from one that it knows counts nothing"),
        Defect(what="where timm is installed, a hook for its Attention hides the linear layers in it"),
        Defect(what="the operator @ counts nothing, unlike torch.matmul"),
        Defect(what="before 0.7.5, a transposed convolution was charged by its output"),
    ),
)


def _build_aten_convention(name: str, attention: str) -> Convention:
    """Build the convention of the aten backend, given the quantity of the attention that torch splits up."""
    return Convention(
        name=name,
        counts="multiply-accumulates and the biases of convolutions and linear layers; nothing else",
        source='ptflops.get_model_complexity_info(model, shape, backend="aten")',
        views=(
            View(
                sees="the aten ops that reach the dispatcher",
                charges={
                    **charge_ops(
                        (*CONVOLUTIONS, *TRANSPOSED_CONVOLUTIONS, "linear", "addmm"),
                        macs=1,
                        bias_adds=1,
                    ),
                    **charge_ops(("matmul", "mm", "bmm", "einsum"), macs=1),
                    **charge_ops(("gru", "rnn_tanh", "rnn_relu"), macs=1, bias_adds=1),
                    "scaled_dot_product_attention": {attention: 1},
                },
            ),
        ),
    )


PTFLOPS_ATEN = _register_backend(
    _build_aten_convention("ptflops-aten", "unfused_macs"),
    versions=("0.7.3", "0.7.4", "0.7.5"),
    # Which aten ops a model calls is decided by torch: it fused attention in other cases in 2.9 and 2.14.
    decided_by="torch",
    since="2.14",
    editions=(
        Edition(
            since="2.6",
            versions=("2.6.0", "2.8.0"),
            conventions=(_build_aten_convention("ptflops-aten-torch-2.6", "unfused_macs_2_6"),),
        ),
        Edition(
            since="2.9",
            versions=("2.9.1", "2.10.0", "2.12.1", "2.13.0"),
            conventions=(_build_aten_convention("ptflops-aten-torch-2.9", "unfused_macs_2_9"),),
        ),
    ),
    limits=(
        "a linear layer on a tensor that is not contiguous does not become an addmm, so its bias is not "
        "counted",
    ),
    defects=(
        Defect(
            what="fused attention counts nothing; where torch does not fuse it, it counts as matrix products"
        ),
        Defect(what="on the CPU an LSTM is one fused op that counts nothing"),
        Defect(what="baddbmm counts nothing"),
    ),
)
