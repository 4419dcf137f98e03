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

__all__ = ["Parameter", "find_parameters"]

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
    own = vars(model).get("forward")
    try:
        forward = type(model).forward if own is None else own
        function = getattr(forward, "__func__", forward)
        known = _BY_FORWARD.get(function)
        if known is None:
            takes_self = own is None or function is not forward
            known = _BY_FORWARD[function] = _read_signature(function, skipped=int(takes_self))
    # A scripted module's forward is no Python function.
    except (AttributeError, TypeError, ValueError):
        return {}
    return known


def _read_signature(forward: Callable[..., Any], *, skipped: int) -> Mapping[int | str, Parameter]:
    parameters = list(inspect.signature(forward).parameters.values())[skipped:]
    found: dict[int | str, Parameter] = {}
    for place, parameter in enumerate(parameters):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            break
        found[place] = found[parameter.name] = _read_parameter(parameter)
    return found


def _read_parameter(parameter: inspect.Parameter) -> Parameter:
    annotation = parameter.annotation
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
