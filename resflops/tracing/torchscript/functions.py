"""Which function computes an op of a TorchScript graph.

One that a declaration describes is called by the name by which layers of torch.nn call it: the recorder then
records it before torch takes it apart, and other counters see what they patch.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from inspect import isbuiltin, ismethoddescriptor, signature
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from resflops.tracing.torch_functions import DESCRIBED, WHOLE
from resflops.tracing.torchscript.eager_forms import EAGER_FORMS
from resflops.tracing.torchscript.values import DTYPES, LAYOUTS, MEMORY_FORMATS, Operate
from resflops.tracing.unchanged import UNCHANGED

__all__ = ["bind_operator", "find_operator", "list_known_functions"]


@cache
def bind_operator(text: str) -> Operate:
    """Find the function for an operator of a schema."""
    schema = torch._C.parse_schema(text)
    space, _, name = schema.name.partition("::")
    known = _find_function(name, schema) if space == "aten" else None
    return known or find_operator(text)


def _takes_tensors(schema: Any) -> bool:
    """Whether an operator takes or gives tensors; some of the same name take lists of numbers."""
    return any("Tensor" in str(each.type) for each in (*schema.arguments, *schema.returns))


@cache
def find_operator(text: str) -> Operate:
    """Find the operator that torch has registered with a schema."""
    schema = torch._C.parse_schema(text)
    space, _, name = schema.name.partition("::")
    packet = getattr(getattr(torch.ops, space), name)
    try:
        called = getattr(packet, schema.overload_name or "default")
    except AttributeError:
        called = packet
    arguments = schema.arguments
    count = next((place for place, each in enumerate(arguments) if each.kwarg_only), len(arguments))
    names = [argument.name for argument in arguments[count:]]

    def call(values: list[Any]) -> Any:
        return called(*values[:count], **dict(zip(names, values[count:], strict=True)))

    return call


_PLACES = (
    functional,
    torch,
    torch.Tensor,
    *[getattr(torch._C, name) for name in ("_nn", "_linalg", "_fft", "_special")],
)
"""Where functions are found; layers of torch.nn call those of the first."""


@cache
def list_known_functions() -> dict[tuple[Any, str], Callable[..., Any]]:
    """List the functions that the recorder knows, by where they are found and their names there.

    To be called before another counter puts others in their place.
    """
    tables = (DESCRIBED, WHOLE, UNCHANGED)
    return {
        (place, name): function
        for place in _PLACES
        for name in dir(place)
        if callable(function := getattr(place, name)) and any(map(partial(_holds, function), tables))
    }


def _holds(function: Any, table: Any) -> bool:
    try:
        return function in table
    # What has no hash is no function of torch's.
    except TypeError:
        return False


def _find_function(name: str, schema: Any) -> Operate | None:
    """Find the function of eager code for an aten op, if the recorder knows it."""
    if (form := EAGER_FORMS.get(name)) is not None:
        return lambda values: form(*values)
    if not _takes_tensors(schema):
        return None
    known = list_known_functions()
    for place in _PLACES:
        for called in (name, name.rstrip("_")) if place is functional else (name,):
            function = known.get((place, called))
            if function is not None:
                bind = _bind_in_order if _takes_ops_arguments(function) else _bind_by_name
                bound = bind(place, called, function, schema.arguments, in_place=called != name)
                if bound is not None:
                    return bound
    return None


def _takes_ops_arguments(function: Callable[..., Any]) -> bool:
    """Whether a function takes the arguments of the op in their order: what torch makes from schemas does.

    So does what chooses between two functions, as max_pool2d does.
    """
    if isbuiltin(function) or ismethoddescriptor(function):
        return True
    return any(each.kind is each.VAR_POSITIONAL for each in signature(function).parameters.values())


# Functions are looked up at every call, so that what somebody has put in their place is called, as other
# counters do.
def _bind_in_order(
    place: Any, called: str, function: Callable[..., Any], arguments: Sequence[Any], *, in_place: bool
) -> Operate | None:
    del function
    if in_place:
        return None
    converters = [_find_converter(each) for each in arguments]
    defaults = [each.default_value if each.has_default_value() else _NO_DEFAULT for each in arguments]
    count = next((place for place, each in enumerate(arguments) if each.kwarg_only), len(arguments))
    names = [argument.name for argument in arguments]

    def call(values: list[Any]) -> Any:
        last = count
        while last and _is_default(values[last - 1], defaults[last - 1]):
            last -= 1
        values = [
            value if convert is None else convert[value]
            for value, convert in zip(values, converters, strict=True)
        ]
        named = {
            names[place]: values[place]
            for place in range(count, len(values))
            if not _is_default(values[place], defaults[place])
        }
        return getattr(place, called)(*values[:last], **named)

    return call


_RENAMED = {"self": "input", "train": "training"}
_IN_PLACE = "inplace"
_DROPPED = frozenset(("cudnn_enabled", "cudnn_enable"))
"""Arguments that change nothing that is counted, and that eager code does not give."""


def _bind_by_name(
    place: Any, called: str, function: Callable[..., Any], arguments: Sequence[Any], *, in_place: bool
) -> Operate | None:
    parameters = signature(function).parameters
    names = [
        each.name if each.name in parameters else _RENAMED.get(each.name, each.name) for each in arguments
    ]
    if any(name not in parameters and name not in _DROPPED for name in names):
        return None
    if in_place and _IN_PLACE not in parameters:
        return None
    further = {_IN_PLACE: True} if in_place else {}
    # By place as far as possible, as layers call them and other counters expect it.
    places = [names.index(name) for name in takewhile(names.__contains__, parameters) if name not in _DROPPED]
    named = [each for each, name in enumerate(names) if each not in places and name not in _DROPPED]
    converters = [_find_converter(each) for each in arguments]

    def call(values: list[Any]) -> Any:
        values = [
            value if convert is None else convert[value]
            for value, convert in zip(values, converters, strict=True)
        ]
        return getattr(place, called)(
            *[values[each] for each in places], **{names[each]: values[each] for each in named}, **further
        )

    return call


class _Tuples:
    """Gives a list of numbers as a tuple, as layers have it."""

    def __getitem__(self, value: Any) -> Any:
        return tuple(value) if type(value) is list else value


class _Codes(dict[Any, Any]):
    """A table of what torch's functions take in place of numbers; what is not in it stays as it is."""

    def __missing__(self, key: Any) -> Any:
        return key


_CONVERTERS: dict[str, Any] = {
    "List[int]": _Tuples(),
    "List[float]": _Tuples(),
    "ScalarType": _Codes(DTYPES),
    "Layout": _Codes(LAYOUTS),
    "MemoryFormat": _Codes(MEMORY_FORMATS),
}


def _find_converter(argument: Any) -> Any:
    """Find what gives an argument as eager code would, by subscription; None if it stays as it is."""
    text = str(argument.real_type)
    optional = text.startswith("Optional[")
    return _CONVERTERS.get(text[len("Optional[") : -1] if optional else text)


_NO_DEFAULT: Any = object()


def _is_default(value: Any, default: Any) -> bool:
    return value is default or (
        type(value) is type(default) and not isinstance(value, Tensor) and value == default
    )
