"""The second level: aten ops of functions that the table does not describe, in the same words."""

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from resflops.call_through import call_through
from resflops.records import Attribute
from resflops.tracing.binding import Described, bind_aten
from resflops.tracing.meta import META, tensors_in

if TYPE_CHECKING:
    from resflops.tracing.recorder import Recorder

__all__ = ["DispatchRecorder", "plain_values"]

Translate = Callable[[Any, tuple[Any, ...], dict[str, Any]], Described]

_SAME_OP: dict[str, str] = {
    "_softmax": "softmax",
    "_log_softmax": "log_softmax",
    "_safe_softmax": "softmax",
    "_unique2": "unique",
    "unique_dim": "unique",
    "_prelu_kernel": "prelu",
    "_to_copy": "to",
    "_unsafe_view": "view",
    "_reshape_alias": "reshape",
    "native_dropout": "dropout",
    "log_sigmoid_forward": "logsigmoid",
    "elu_forward": "elu",
    "hardswish_forward": "hardswish",
    "linalg_vector_norm": "norm",
    "_fft_c2c": "fft",
    "_fft_r2c": "rfft",
    "_fft_c2r": "irfft",
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


def _gelu(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    bound = _bound(func, args, kwargs)
    return "gelu_tanh" if bound.get("approximate") == "tanh" else "gelu", (bound["self"],), {}


def _embedding(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    return "embedding", (args[1], args[0]), {}


def _embedding_bag(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    bound = _bound(func, args, kwargs)
    attributes: dict[str, Attribute] = {
        "mode": ("sum", "mean", "max")[bound["mode"]],
        "weighted": bound["per_sample_weights"] is not None,
    }
    return "embedding_bag", (bound["indices"], bound["weight"]), attributes


def _bilinear(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    return "bilinear", (args[0], args[2], args[1]), {"bias": False}


def _recurrent_layer(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    """One layer and direction as the CPU's own library runs it, or all of them as cuDNN does."""
    bound = _bound(func, args, kwargs)
    weights = bound["weight"] if "weight" in bound else [bound["weight0"], bound["weight1"]]
    matrices = tuple(weight for weight in weights if weight.dim() == 2)
    op = ("rnn_relu", "rnn_tanh", "lstm", "gru")[bound["mode"]]
    whole = "weight" in bound
    attributes: dict[str, Attribute] = {
        "hidden": bound["hidden_size"],
        "layers": bound["num_layers"] if whole else 1,
        "directions": 2 if whole and bound["bidirectional"] else 1,
        "bias": len(weights) > len(matrices) if whole else bound["has_biases"],
        "dropout": bool(whole and bound["train"] and bound["dropout"] > 0),
    }
    return op, (bound["input"], *matrices), attributes


def _packed(op: str) -> Translate:
    """A quantised layer, whose weight and bias lie packed in one object."""

    def describe(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
        weight, bias = args[1].unpack()
        attributes: dict[str, Attribute] = {"bias": bias is not None, "quantised": True}
        return op, (args[0], weight), attributes

    return describe


_TRANSLATED: dict[str, Translate] = {
    **dict.fromkeys(
        ("_scaled_dot_product_flash_attention", "_scaled_dot_product_flash_attention_for_cpu",
         "_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention",
         "_scaled_dot_product_fused_attention_overrideable"),
        _attention,
    ),
    "addmm": _bias_first("addmm"),
    "baddbmm": _bias_first("baddbmm"),
    "addmv": _bias_first("addmv"),
    "_addmm_activation": _bias_first("addmm"),
    "addbmm": _bias_first("addbmm"),
    "addr": _bias_first("addr"),
    "gelu": _gelu,
    "embedding": _embedding,
    **dict.fromkeys(("_embedding_bag", "_embedding_bag_forward_only"), _embedding_bag),
    "_trilinear": _bilinear,
    **dict.fromkeys(("mkldnn_rnn_layer", "_cudnn_rnn"), _recurrent_layer),
}  # fmt: skip

_FOREIGN: dict[str, Translate] = {
    **{
        f"quantized.{name}": _packed("linear") for name in ("linear", "linear_dynamic", "linear_dynamic_fp16")
    },
    **{f"quantized.{name}": _packed("linear_relu") for name in ("linear_relu", "linear_relu_dynamic")},
}
"""Ops of other libraries than torch's own, by ``namespace.name``."""
