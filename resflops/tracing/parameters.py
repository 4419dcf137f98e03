"""What the signature of a model's forward says of its parameters: a tensor, or a size.

A tuple of ints may be the shape of a tensor or a plain tuple that the model takes as it is. An annotation, a
default or a name tells which, where it tells.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal
from weakref import WeakKeyDictionary

from msgspec import Struct
from torch import nn

__all__ = ["Parameter", "find_parameters", "find_signature"]

Kind = Literal["tensor", "plain", ""]


class Parameter(Struct, frozen=True):
    """What is known of one parameter."""

    kind: Kind = ""
    """``tensor`` or ``plain``; ``""`` where the signature does not tell."""
    dtype: str = ""
    """The element type that a tensor's annotation names, such as ``int64`` for ``LongTensor``."""


_UNKNOWN = Parameter()
_BY_FORWARD: WeakKeyDictionary[Callable[..., Any], Mapping[int | str, Parameter]] = WeakKeyDictionary()

_TENSOR = re.compile(r"\b(Long|Int|Short|Bool|Byte|Char|Float|Half|Double|BFloat16|)Tensor\b")
_DTYPES = {"Long": "int64", "Int": "int32", "Short": "int16", "Bool": "bool", "Byte": "uint8", "Char": "int8"}
_SEQUENCE = re.compile(r"\b([Tt]uple|[Ll]ist|Sequence|Iterable|Size|int|float|_size_\w+|_int\w*)\b")
_SIZE_NAME = re.compile(
    r"(.*_)?(size|shape|padding|pad|stride|strides|dilation|dims|axes|axis|dim|order|permutation)"
)


def find_parameters(model: nn.Module) -> Mapping[int | str, Parameter]:
    """Find what is known of the parameters of a model's forward, by place and by name."""
    try:
        function, skipped = _find_forward(model)
        known = _BY_FORWARD.get(function)
        if known is None:
            known = _BY_FORWARD[function] = _read_signature(_inspect(function, skipped))
    # A scripted module's forward is no Python function.
    except (AttributeError, TypeError, ValueError):
        return {}
    return known


def find_signature(model: nn.Module) -> inspect.Signature | None:
    """Find the signature of a model's forward without ``self``; None where there is none to ask."""
    try:
        # What torch.compile gives takes whatever the model takes.
        function, skipped = _find_forward(getattr(model, "_orig_mod", model))
        known = _SIGNATURES.get(function)
        if known is None:
            known = _SIGNATURES[function] = _inspect(function, skipped)
    except (AttributeError, TypeError, ValueError):
        return None
    return known


_SIGNATURES: WeakKeyDictionary[Callable[..., Any], inspect.Signature] = WeakKeyDictionary()


def _find_forward(model: nn.Module) -> tuple[Callable[..., Any], int]:
    """Find the function of a model's forward, and how many of its parameters the model is given by itself."""
    own = vars(model).get("forward")
    forward = type(model).forward if own is None else own
    function = getattr(forward, "__func__", forward)
    return function, int(own is None or function is not forward)


def _inspect(function: Callable[..., Any], skipped: int) -> inspect.Signature:
    signature = inspect.signature(function)
    return signature.replace(parameters=list(signature.parameters.values())[skipped:])


def _read_signature(signature: inspect.Signature) -> Mapping[int | str, Parameter]:
    found: dict[int | str, Parameter] = {}
    for place, parameter in enumerate(signature.parameters.values()):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            break
        found[place] = found[parameter.name] = _read_parameter(parameter)
    return found


def _read_parameter(parameter: inspect.Parameter) -> Parameter:
    annotation = parameter.annotation
    if isinstance(annotation, Parameter):
        # Of an exported program, which knows what it takes.
        return annotation
    text = "" if annotation is parameter.empty else str(getattr(annotation, "__qualname__", annotation))
    # A generic's own name lacks its arguments.
    text = str(annotation) if getattr(annotation, "__args__", None) else text
    if named := _TENSOR.search(text):
        return Parameter("tensor", _DTYPES.get(named[1], ""))
    if _SEQUENCE.search(text):
        return Parameter("plain")
    if isinstance(parameter.default, int | float | tuple | list) or _SIZE_NAME.fullmatch(parameter.name):
        return Parameter("plain")
    return _UNKNOWN
