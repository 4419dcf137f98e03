"""The forms in which a call may give a model its inputs: our own, and those of other counters.

People bring ``count(m, (x,))`` from fvcore and torch, ``input_size=`` from torchinfo, ``inputs=`` from thop.
What the model itself may take is never read as anything else: a form counts only where no parameter of the
forward has that name, and a tuple of tensors is taken apart only where the model does not take it as it is.
"""

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Any

from torch import Tensor, nn

from resflops.errors import InputError, UsageError, suggest
from resflops.records import TensorSpec, is_shape
from resflops.tracing.parameters import find_signature

__all__ = ["Call", "list_calls", "suggest_input"]

Call = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments."""


def list_calls(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Call]:
    """List what the arguments of a call can mean for a model, the likeliest first.

    Raises:
        InputError: the model takes something, and was given nothing.
        UsageError: the forward has no parameter of a keyword's name, and it is no form that is known.
    """
    signature = find_signature(model)
    if not args and not kwargs:
        _check_needs_nothing(model, signature)
        return [(args, kwargs)]
    foreign = [name for name in kwargs if not _has_parameter(signature, name)]
    if not foreign:
        return _list_unpacked(signature, args, kwargs)
    # A scripted module tells no signature, and one with **kwargs may take any name.
    open_ended = signature is None or _takes_any_keyword(signature)
    if not all(name in _READERS or name in _ANSWERS for name in foreign):
        if open_ended:
            return [(args, kwargs)]
        name = next(name for name in foreign if name not in _READERS and name not in _ANSWERS)
        raise _make_keyword_error(model, signature, name)
    if open_ended and any(name in _ANSWERS for name in foreign):
        return [(args, kwargs)]
    translated = _translate(model, signature, args, kwargs, foreign)
    return [(args, kwargs), translated] if open_ended else [translated]


def _has_parameter(signature: Signature | None, name: str) -> bool:
    parameter = signature.parameters.get(name) if signature else None
    return parameter is not None and parameter.kind in (
        Parameter.POSITIONAL_OR_KEYWORD,
        Parameter.KEYWORD_ONLY,
    )


def _takes_any_keyword(signature: Signature) -> bool:
    return any(each.kind is Parameter.VAR_KEYWORD for each in signature.parameters.values())


def _list_unpacked(signature: Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Call]:
    """List a call as it is and, if all that it gives is a tuple or dict of inputs, with that taken apart."""
    as_given = (args, kwargs)
    if len(args) != 1 or not (_is_tuple_of_inputs(args[0]) or _is_dict_of_inputs(args[0])):
        return [as_given]
    apart = ((), {**args[0], **kwargs}) if isinstance(args[0], Mapping) else (tuple(args[0]), kwargs)
    if signature is None:
        return [as_given, apart]
    # Where neither fits, the call as it is raises what says so.
    return [call for call in (as_given, apart) if _fits(signature, call)] or [as_given]


def _is_tuple_of_inputs(item: object) -> bool:
    """Whether it is a tuple or list of tensors or shapes; a tuple of ints is a shape itself."""
    return (
        type(item) in (tuple, list)
        and bool(item)
        and all(isinstance(each, Tensor | TensorSpec) or is_shape(each) for each in item)  # type: ignore[attr-defined]
    )


def _is_dict_of_inputs(item: object) -> bool:
    """Whether it has tensors by name, as a tokenizer gives them."""
    return (
        isinstance(item, Mapping)
        and all(isinstance(name, str) for name in item)
        and any(isinstance(each, Tensor | TensorSpec) for each in item.values())
    )


def _fits(signature: Signature, call: Call) -> bool:
    try:
        signature.bind(*call[0], **call[1])
    except TypeError:
        return False
    return True


def _check_needs_nothing(model: nn.Module, signature: Signature | None) -> None:
    needed = [
        parameter.name
        for parameter in (signature.parameters.values() if signature else ())
        if parameter.default is Parameter.empty
        and parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    ]
    if needed:
        raise InputError(
            f"{type(model).__name__} takes {', '.join(needed)}, and was given no input; "
            f"give a shape, as in {suggest_input(model)}, or the tensors themselves"
        )


def suggest_input(model: nn.Module) -> str:
    """Write an input that the first layer with weights would take."""
    for layer in model.modules():
        name = type(layer).__name__
        if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
            return "resflops.shape(1, 128, dtype='int64')"
        if isinstance(layer, nn.Linear):
            return f"(1, {layer.in_features})"
        if isinstance(layer, nn.RNNBase):
            return f"(1, 100, {layer.input_size})" if layer.batch_first else f"(100, 1, {layer.input_size})"
        channels = getattr(layer, "in_channels", None)
        if isinstance(channels, int) and (sizes := _USUAL_SIZES.get(name[-2:])):
            return str((1, channels or 3, *sizes))
    return "(1, 3, 224, 224)"


_USUAL_SIZES = {"1d": (16000,), "2d": (224, 224), "3d": (16, 112, 112)}
"""The sizes of a signal, an image and a video, by how the class of a convolution ends."""


def _make_keyword_error(model: nn.Module, signature: Signature | None, name: str) -> UsageError:
    takes = list(signature.parameters) if signature else []
    known = [*takes, *_OPTIONS]
    return UsageError(
        f"unexpected keyword argument {name!r}{suggest(name, known)}; "
        f"{type(model).__name__} takes {', '.join(takes) or 'nothing'}"
    )


_OPTIONS = ("convention", "backward", "nonzero")
"""What resflops.count itself takes by keyword."""


def _translate(
    model: nn.Module,
    signature: Signature | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    foreign: list[str],
) -> Call:
    """Translate a call in the form of another counter.

    Raises:
        UsageError: there is no such form here, or the inputs are given more than once.
    """
    for name in foreign:
        if name in _ANSWERS:
            raise UsageError(f"unexpected keyword argument {name!r}; {_ANSWERS[name]}")
    own = {name: item for name, item in kwargs.items() if name not in foreign}
    given = [name for name in foreign if name != "kwargs"]
    if len(given) + bool(args) > 1:
        places = [*(["by place"] if args else []), *given]
        raise UsageError(
            f"the inputs are given more than once: {' and '.join(places)}; "
            "give them as resflops.count(model, input, ...)"
        )
    for name in foreign:
        more_args, more_kwargs = _READERS[name](kwargs[name])
        args, own = (*args, *more_args), {**own, **more_kwargs}
    if signature is not None and not _fits(signature, (args, own)):
        raise UsageError(
            f"{', '.join(foreign)}: {type(model).__name__} takes {', '.join(signature.parameters)}; "
            "give its inputs as resflops.count(model, input, ...)"
        )
    return args, own


def _read_values(value: Any) -> Call:
    """Read one input, a tuple or list of them, or a dict of them by name."""
    if isinstance(value, Mapping):
        return (), dict(value)
    if type(value) in (tuple, list) and not is_shape(value):
        return tuple(value), {}
    return (value,), {}


def _read_size(value: Any) -> Call:
    """Read the whole shape of one input, with its batch, or the shapes of several."""
    if isinstance(value, list | tuple) and value and all(isinstance(each, list | tuple) for each in value):
        return tuple(tuple(each) for each in value), {}
    return (tuple(value) if isinstance(value, list) else value,), {}


def _read_size_without_batch(value: Any) -> Call:
    """Read the shape of one input as ptflops does, which puts a batch of one in front."""
    return ((1, *value),), {}


_READERS: dict[str, Callable[[Any], Call]] = {
    # torchinfo
    "input_size": _read_size,
    "input_data": _read_values,
    # thop and fvcore
    "inputs": _read_values,
    # calflops and DeepSpeed
    "input_shape": _read_size,
    # torchprofile, torch.onnx, calflops and DeepSpeed
    "args": _read_values,
    "kwargs": lambda value: ((), dict(value or {})),
    # torch.jit.trace
    "example_inputs": _read_values,
    # ptflops
    "input_res": _read_size_without_batch,
}
"""How the keywords of other counters give the inputs."""

_SUMMARY = "print(cost.summary(depth=…, columns=[…])) shows the model module by module"
_SILENT = f"nothing is printed while counting; {_SUMMARY}"
_RULE = "write a rule with @resflops.rule, for an op or for a class of modules"
_ANSWERS = {
    **dict.fromkeys(("depth", "col_names", "columns", "row_settings", "col_width", "max_depth"), _SUMMARY),
    **dict.fromkeys(
        ("verbose", "print_per_layer_stat", "print_results", "print_profile", "as_strings", "as_string",
         "detailed", "output_precision", "output_unit", "flops_units", "param_units", "display"),
        _SILENT,
    ),
    **dict.fromkeys(("custom_ops", "custom_modules_hooks", "custom_ops_handlers"), _RULE),
    **dict.fromkeys(("ret_layer_info", "report_missing"), "cost.layers and cost.uncounted have it"),
    **dict.fromkeys(
        ("batch_size", "batch_dim"), "give the whole shape with its batch, as in (8, 3, 224, 224)"
    ),
    **dict.fromkeys(
        ("dtype", "dtypes"), "resflops.shape(1, 128, dtype='int64') is an input of whole numbers"
    ),
    "device": "a model is counted on whatever device it is, without running it",
    "mode": "call model.train() or model.eval() before",
    "input_constructor": "give what it returns, as in resflops.count(model, **inputs)",
    "transformer_tokenizer": "give the tokens' shape, as in resflops.shape(1, 128, dtype='int64')",
    "include_backpropagation": "backward=True counts the backward pass",
    "include_backPropagation": "backward=True counts the backward pass",
    "training": "backward=True counts the backward pass",
}  # fmt: skip
"""What to do in place of a keyword of another counter."""
