"""The ops that do the gradients of others, as autograd runs them: in ``func.grad``, or under ``backward()``.

Each is read as the call of the op whose gradient it does, and costs what that op's own declaration says of
the gradients that are asked for. Nothing is counted here. So a gradient costs the same whether a backward
pass is derived from a trace or is itself part of one.

The first input of such an op is the gradient that arrives. The others are the inputs of the forward pass, or
tensors that are kept in their place and have their shapes; where none is kept, the output has the shape.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from resflops.ops._attributes import Attributes
from resflops.ops._call import Call, SignedCall, TensorLike
from resflops.ops._complex import SUMS
from resflops.ops._declaration import OPS, moved_gradient, op
from resflops.ops._free import COPY, declare_free
from resflops.ops.activation import infer_gelu, infer_glu, infer_prelu, read_elu
from resflops.ops.attention import infer_fused_attention
from resflops.ops.convolution import read_convolution
from resflops.ops.embedding import BAG_MODES
from resflops.ops.interpolation import ANTIALIASED, UPSAMPLING, read_grid_sampler
from resflops.ops.matmul import infer_linear, infer_matmul
from resflops.ops.normalization import infer_batch_norm, infer_group_norm, infer_layer_norm, infer_rms_norm
from resflops.records import Attribute, OpRecord, Work, add_works

FAMILY = "backward"

Given = dict[str, Any]
Forward = Callable[[Given], Call | SignedCall]

_GRADIENTS = ("grad_output", "grad_out", "grad", "grad_out_", "grad_in", "grad_w")
"""The names that torch's schemas have for the gradient that arrives."""
_MASKS = ("output_mask", "mask", "grad_input_mask")
"""The names that they have for the flags which say what gradients are asked for."""


class Differentiated(Attributes, frozen=True):
    """The gradients of another op."""

    gradient_of: str
    """The op."""
    operands: tuple[int, ...]
    """The operands whose gradients are asked for, numbered as in its own gradient rule."""


def gradients(record: OpRecord, attributes: Differentiated) -> Work:
    """What the op of the forward pass declares for the requested gradients."""
    forward = replace(
        record,
        op=attributes.gradient_of,
        input_shapes=record.input_shapes[1:] or record.output_shapes[:1],
        output_shapes=record.input_shapes[:1],
    )
    declared = OPS[attributes.gradient_of].gradient
    if declared is None or declared.work is None or not attributes.operands:
        return Work()
    return add_works(declared.work(forward, attributes.operands) or ())


def _declare(
    name: str, forward: Forward, *, operands: tuple[int, ...] | None = (0,), on_complex: Work | None = None
) -> None:
    """Declare the aten op that does the gradients of another.

    Args:
        name: the aten op.
        forward: it makes the call of the forward pass from the arguments of the backward one.
        operands: the operands whose gradients it does. None leaves it to its flags.
        on_complex: the factors of its work on complex numbers, which are those of the forward pass.
    """

    def read(given: Given) -> Call:
        arriving = next(given[each] for each in _GRADIENTS if given.get(each) is not None)
        call = forward(given)
        signature = call.signature if isinstance(call, SignedCall) else call
        asked = _read_flags(given, call) if operands is None else operands
        attributes: dict[str, Attribute] = {
            **signature.attributes,
            "gradient_of": signature.op,
            "operands": asked,
        }
        return Call(name, (arriving, *call.inputs), tuple(arriving.shape), attributes)

    op(
        name,
        family=FAMILY,
        attributes=Differentiated,
        aten={name: read},
        work=gradients,
        on_complex=on_complex,
    )


def _read_flags(given: Given, call: Call | SignedCall) -> tuple[int, ...]:
    """Number the operands that the flags ask for; a weight or bias that is missing has no number."""
    flags = next(given[each] for each in _MASKS if given.get(each) is not None)
    there = [*(True for _ in call.inputs), *(each is not None for each in call.affine)]
    asked, number = [], 0
    for place, exists in enumerate(there):
        if exists and place < len(flags) and flags[place]:
            asked.append(number)
        number += exists
    return tuple(asked)


def _call(name: str, *kept: str, taken: tuple[str, ...] = (), **attributes: Attribute) -> Forward:
    """Make the forward call of an op from the tensors that are kept, some arguments, and fixed attributes."""

    def forward(given: Given) -> Call:
        own = {each: tuple(given[each]) if isinstance(given[each], list) else given[each] for each in taken}
        return Call(name, tuple([given[each] for each in kept]), (), {**attributes, **own})

    return forward


def _infer_from(name: str) -> Forward:
    """Make the forward call of a function by its own ``infer``, whose parameters have the same names."""

    def forward(given: Given) -> Call:
        infer = OPS[name].bindings[0].infer
        named = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "count_include_pad")
        call: Call = infer(given["self"], **{each: given[each] for each in named if each in given})
        return call

    return forward


# Element by element.
for _name, _kept in (
    ("threshold", "self"), ("sigmoid", "output"), ("tanh", "output"), ("silu", "self"), ("hardswish", "self"),
    ("hardsigmoid", "self"), ("hardtanh", "self"), ("leaky_relu", "self"), ("softplus", "self"),
    ("softshrink", "self"), ("hardshrink", "self"), ("mish", "self"), ("logit", "self"),
    ("rrelu_with_noise", "self"),
):  # fmt: skip
    _declare(f"{_name}_backward", _call(_name, _kept))
_declare("log_sigmoid_backward", _call("logsigmoid", "self"))
_declare("elu_backward", lambda given: read_elu({**given, "self": given["self_or_result"]}))
_declare("gelu_backward", lambda given: infer_gelu(given["self"], approximate=given["approximate"]))
_declare("glu_backward", lambda given: infer_glu(given["self"], given["dim"]))
# The gradients of the slopes are of the input's shape; an op of its own adds them up afterwards.
_declare("_prelu_kernel_backward", lambda given: infer_prelu(given["self"], given["self"]), operands=(0, 1))
_declare("native_dropout_backward", _call("dropout", "grad_output", training=True))

# Along a dimension.
for _name in ("softmax", "log_softmax"):
    _declare(f"_{_name}_backward_data", _call(_name, "output", taken=("dim",)))

# Normalisations.
_declare(
    "native_layer_norm_backward",
    lambda given: infer_layer_norm(given["input"], given["normalized_shape"], given["weight"], given["bias"]),
    operands=None,
)
_declare(
    "_fused_rms_norm_backward",
    lambda given: infer_rms_norm(given["input"], given["normalized_shape"], given["weight"]),
    operands=None,
)


def _stand_for_bias(given: Given) -> TensorLike | None:
    """Name some tensor for the bias, which these ops are not given, if its gradient is asked for."""
    flags = given.get("output_mask")
    some: TensorLike = next(given[each] for each in _GRADIENTS if given.get(each) is not None)
    return some if flags is None or flags[2] else None


def _read_batch_norm(given: Given) -> SignedCall:
    training = bool(given.get("train", given.get("update", True)))
    return infer_batch_norm(
        given["input"], None, None, given["weight"], _stand_for_bias(given), training=training
    )


_declare(
    "native_group_norm_backward",
    lambda given: infer_group_norm(given["input"], given["group"], given["weight"], _stand_for_bias(given)),
    operands=None,
)
for _name in ("native_batch_norm_backward", "batch_norm_backward"):
    _declare(_name, _read_batch_norm, operands=None)
for _name in ("cudnn_batch_norm_backward", "miopen_batch_norm_backward"):
    _declare(_name, _read_batch_norm, operands=(0, 1, 2))

# Products.
for _name in ("convolution_backward", "convolution_backward_overrideable"):
    _declare(
        _name,
        lambda given: read_convolution(
            {**given, "bias": given["weight"] if given["output_mask"][2] else None}
        ),
        operands=None,
        on_complex=SUMS,
    )
for _name in ("linear_backward", "mkldnn_linear_backward"):
    _declare(
        _name,
        lambda given: infer_linear(given["self"], given["weight"], _stand_for_bias(given)),
        operands=None,
        on_complex=SUMS,
    )
_declare(
    "matmul_backward",
    lambda given: infer_matmul(given["self"], given["other"]),
    operands=None,
    on_complex=SUMS,
)
for _name in ("cudnn", "efficient", "flash", "fused"):
    _suffix = "_overrideable" if _name == "fused" else ""
    _declare(
        f"_scaled_dot_product_{_name}_attention{_suffix}_backward",
        infer_fused_attention,
        operands=(0, 1, 2),
    )
_declare(
    "_scaled_dot_product_flash_attention_for_cpu_backward",
    infer_fused_attention,
    operands=(0, 1, 2),
)
_declare("_cdist_backward", _call("_cdist_forward", "x1", "x2", taken=("p",)))

# Rows of a table.
_declare("embedding_dense_backward", _call("embedding", "indices"), operands=(1,))


def _read_bag(given: Given) -> Call:
    attributes: dict[str, Attribute] = {
        "mode": BAG_MODES[given["mode"]],
        "weighted": given["per_sample_weights"] is not None,
    }
    return Call("embedding_bag", (given["indices"],), (), attributes)


for _name in ("_embedding_bag_backward", "_embedding_bag_dense_backward"):
    _declare(_name, _read_bag, operands=(1,))

# Windows.
for _spatial in (2, 3):
    _declare(f"avg_pool{_spatial}d_backward", _infer_from(f"avg_pool{_spatial}d"))
    _declare(f"max_pool{_spatial}d_with_indices_backward", _infer_from(f"max_pool{_spatial}d"))
    _declare(f"mkldnn_max_pool{_spatial}d_backward", _infer_from(f"max_pool{_spatial}d"))
    _declare(f"_adaptive_avg_pool{_spatial}d_backward", _call(f"adaptive_avg_pool{_spatial}d", "self"))
    _declare(f"adaptive_max_pool{_spatial}d_backward", _call(f"adaptive_max_pool{_spatial}d", "self"))
    _declare(
        f"fractional_max_pool{_spatial}d_backward",
        _call(f"fractional_max_pool{_spatial}d", "self", kernel=()),
    )
for _kind in ("reflection", "replication"):
    for _spatial in (1, 2, 3):
        _declare(f"{_kind}_pad{_spatial}d_backward", _call(f"{_kind}_pad{_spatial}d", "self"))


# Of an image that is resized nothing is kept.
for _name, _mode in UPSAMPLING.items():
    _declare(f"{_name}_backward", _call("interpolate", mode=_mode))
for _name, _mode in ANTIALIASED.items():
    _declare(f"{_name}_backward", _call("interpolate", mode=_mode, antialias=True))
for _spatial in (2, 3):
    _declare(f"grid_sampler_{_spatial}d_backward", read_grid_sampler, operands=None)
_declare("unfold_backward", _call("unfold"))

# Losses.
for _name in ("mse_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "soft_margin_loss"):
    _declare(f"{_name}_backward", _call(_name, "self", "target"))
for _name in ("nll_loss", "nll_loss2d"):
    _declare(f"{_name}_backward", _call(f"{_name}_forward", "self", "target"))

# Put back among zeros.
declare_free(
    "select_backward", "slice_backward", "diagonal_backward", "masked_scatter_backward",
    family=FAMILY,
    reason=COPY,
    gradient=moved_gradient((0,)),
    saves=(),
)  # fmt: skip
