"""The second level: aten ops of functions that the table does not describe, in the same words."""

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from resflops.records import Attribute
from resflops.tracing.binding import Described, bind_aten
from resflops.tracing.call_through import call_through
from resflops.tracing.meta import META, tensors_in

if TYPE_CHECKING:
    from resflops.tracing.recorder import Recorder

__all__ = ["DispatchRecorder", "plain_values"]

Translate = Callable[[Any, tuple[Any, ...], dict[str, Any]], Described]

_SAME_OP: dict[str, str] = {
    "_prelu_kernel": "prelu",
    "_adaptive_avg_pool2d": "adaptive_avg_pool2d",
    "_adaptive_avg_pool3d": "adaptive_avg_pool3d",
    "native_dropout": "dropout",
    "log_sigmoid_forward": "logsigmoid",
    "elu_forward": "elu",
    "hardswish_forward": "hardswish",
    "__and__": "bitwise_and",
    "__or__": "bitwise_or",
    "__xor__": "bitwise_xor",
    "__lshift__": "bitwise_left_shift",
    "__rshift__": "bitwise_right_shift",
}
"""Aten ops that torch knows under another name than its users do."""


_READ, _RENAMED = bind_aten()


class DispatchRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the aten ops that reach the dispatcher while it is on, into a recorder."""

    def __init__(self, recorder: "Recorder") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder
        self._doubles: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one aten op and record it."""
        kwargs = kwargs or {}
        self._recorder.blanks.touched = True
        if not self._recorder.real and "device" in kwargs:
            kwargs = {**kwargs, "device": META}
        if not self._recorder.real:
            args, kwargs = self._recorder.doubled((args, kwargs), self._doubles)
        out = call_through(func, args, kwargs)
        op, inputs, attributes = describe_aten(func, args, kwargs)
        layer, outs = self._recorder.layer_running(sys._getframe(1)), tuple(tensors_in(out))
        affine = affine_of(func, args, kwargs, inputs) if _has_affine(attributes) else ()
        self._recorder.note(op, layer, inputs, outs, attributes, affine)
        return out


def describe_aten(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    """An aten op in the words of the rules."""
    name = func._schema.name.partition("::")[2]
    space = func.namespace
    if space != "aten":
        if (read := _READ.get(f"{space}.{name}")) and (described := read(_bound(func, args, kwargs))):
            return described
        if translate := _FOREIGN.get(f"{space}.{name}"):
            return translate(func, args, kwargs)
        return f"{space}.{name}", tuple(tensors_in((args, kwargs))), plain_values(_bound(func, args, kwargs))
    op = name.rstrip("_") if not name.endswith("__") else name
    if (read := _READ.get(op)) and (described := read(_bound(func, args, kwargs))):
        return described
    if translate := _TRANSLATED.get(op):
        return translate(func, args, kwargs)
    op = _RENAMED.get(op, op)
    return _SAME_OP.get(op, op), tuple(tensors_in((args, kwargs))), plain_values(_bound(func, args, kwargs))


def affine_of(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """The weight and the bias of an aten op that are not among its inputs."""
    bound = _bound(func, args, kwargs)
    given = [bound.get(name) for name in ("weight", "bias")]
    known = {id(tensor) for tensor in inputs}
    return tuple([each for each in given if isinstance(each, Tensor) and id(each) not in known])


def _has_affine(attributes: dict[str, Attribute]) -> bool:
    return attributes.get("weight") is True or attributes.get("bias") is True


def _bound(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by their names in the op's schema, defaults filled in."""
    bound = {}
    for place, argument in enumerate(func._schema.arguments):
        if place < len(args):
            bound[argument.name] = args[place]
        else:
            bound[argument.name] = kwargs.get(
                argument.name, argument.default_value if argument.has_default_value() else None
            )
    return bound


def plain_values(bound: Mapping[str, Any]) -> dict[str, Attribute]:
    """Those of some named values that an op's attributes can hold."""
    attributes: dict[str, Attribute] = {}
    for name, value in bound.items():
        if isinstance(value, (bool, int, float, str)) or value is None:
            attributes[name] = value
        elif isinstance(value, (list, tuple)) and all(isinstance(each, int) for each in value):
            attributes[name] = tuple(value)
    return attributes


def _attention(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    bound = _bound(func, args, kwargs)
    mask = bound.get("attn_mask") if "attn_mask" in bound else bound.get("attn_bias")
    attributes: dict[str, Attribute] = {
        "masked": mask is not None,
        "mask_dims": 0 if mask is None else mask.dim(),
        "causal": bool(bound.get("is_causal")),
        "grouped": False,
        "dropout": (bound.get("dropout_p") or 0.0) > 0.0,
    }
    return "scaled_dot_product_attention", (bound["query"], bound["key"], bound["value"]), attributes


def _bias_first(op: str) -> Translate:
    def describe(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
        return op, (args[1], args[2], args[0]), {}

    return describe


def _embedding(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    return "embedding", (args[1], args[0]), {}


def _embedding_bag(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    bound = _bound(func, args, kwargs)
    attributes: dict[str, Attribute] = {
        "mode": ("sum", "mean", "max")[bound["mode"]],
        "weighted": bound["per_sample_weights"] is not None,
    }
    return "embedding_bag", (bound["indices"], bound["weight"]), attributes


def _grid_sample(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    bound = _bound(func, args, kwargs)
    mode = ("bilinear", "nearest", "bicubic")[bound["interpolation_mode"]]
    return "grid_sample", (bound["input"], bound["grid"]), {"mode": mode}


def _fractional_pool(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    bound = _bound(func, args, kwargs)
    return func._schema.name.partition("::")[2], (bound["self"],), {"kernel": tuple(bound["kernel_size"])}


def _antialiased(mode: str) -> Translate:
    def describe(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
        return "interpolate", (args[0],), {"mode": mode, "antialias": True}

    return describe


def _deform_conv(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    bound = _bound(func, args, kwargs)
    attributes: dict[str, Attribute] = {"mask": bound["use_mask"], "bias": True, "groups": bound["groups"]}
    return "deform_conv2d", (bound["input"], bound["weight"], bound["offset"]), attributes


def _roi_align(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    bound = _bound(func, args, kwargs)
    ratio = bound["sampling_ratio"]
    # With a ratio of zero torchvision takes as many samples as the boxes are large.
    op = "torchvision.roi_align" if ratio > 0 else "torchvision.roi_align by size"
    return op, (bound["input"], bound["rois"]), {"sampling_ratio": ratio}


def _packed(op: str) -> Translate:
    """A quantised layer, whose weight and bias lie packed in one object."""

    def describe(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
        weight, bias = args[1].unpack()
        attributes: dict[str, Attribute] = {"bias": bias is not None, "quantised": True}
        attributes["kernel"] = tuple(weight.shape[2:])
        attributes["groups"] = args[0].shape[1] // weight.shape[1]
        return op, (args[0], weight), attributes

    return describe


_TRANSLATED: dict[str, Translate] = {
    **dict.fromkeys(("convolution", "_convolution", "convolution_overrideable"), _convolution),
    "max_pool2d_with_indices": _pool("max_pool2d"),
    "max_pool3d_with_indices": _pool("max_pool3d"),
    **{f"avg_pool{n}d": _pool(f"avg_pool{n}d") for n in (1, 2, 3)},
    **{name: _interpolate(mode) for name, mode in _UPSAMPLINGS.items()},
    "_upsample_bilinear2d_aa": _antialiased("bilinear"),
    "_upsample_bicubic2d_aa": _antialiased("bicubic"),
    "embedding": _embedding,
    **dict.fromkeys(("_embedding_bag", "_embedding_bag_forward_only"), _embedding_bag),
    **dict.fromkeys(("grid_sampler_2d", "grid_sampler_3d"), _grid_sample),
    **dict.fromkeys(("fractional_max_pool2d", "fractional_max_pool3d"), _fractional_pool),
}  # fmt: skip

_FOREIGN: dict[str, Translate] = {
    "torchvision.deform_conv2d": _deform_conv,
    "torchvision.roi_align": _roi_align,
    **{f"quantized.conv{n}d{kind}": _packed(f"conv{n}d{kind}") for n in (1, 2, 3) for kind in ("", "_relu")},
    **{f"quantized.conv{n}d_dynamic": _packed(f"conv{n}d") for n in (1, 2, 3)},
}
"""Ops of other libraries than torch's own, by ``namespace.name``."""
