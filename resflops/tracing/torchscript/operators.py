"""What the nodes of a TorchScript graph compute: an op of torch's, or something that Python does itself."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from inspect import Parameter, isbuiltin, ismethoddescriptor, signature
from typing import Any

import torch
from torch import Tensor
from torch._C import DisableTorchFunction
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes
from torch.nn import functional

from resflops.tracing.torch_functions import DESCRIBED, WHOLE
from resflops.tracing.torchscript.eager_forms import EAGER_FORMS
from resflops.tracing.torchscript.python_operators import (
    CONVERSIONS,
    ON_CONTAINERS,
    ON_NUMBERS,
    ON_TENSORS,
    PRIMITIVE,
)
from resflops.tracing.torchscript.values import (
    DTYPES,
    LAYOUTS,
    MEMORY_FORMATS,
    SizeTensor,
    Unsupported,
    unwrap,
)
from resflops.tracing.unchanged import UNCHANGED

__all__ = ["Operate", "bind_node"]

Operate = Callable[[list[Any]], Any]
"""Computes what a node gives from its inputs."""

_REFUSED = frozenset(("aten::save", "aten::from_file", "prim::PythonOp"))
"""What reads and writes files, or calls Python: no count needs it."""


def bind_node(node: Any) -> Operate:
    """Find out how to compute what a node gives.

    Raises:
        Unsupported: Python cannot do it.
    """
    kind = node.kind()
    if kind in _REFUSED:
        raise Unsupported(kind)
    space, _, name = kind.partition("::")
    if space == "prim":
        operate = PRIMITIVE.get(name)
        if operate is None:
            raise Unsupported(kind)
        return operate(node)
    if space == "aten" and (found := _find_python_operator(name, [each.type() for each in node.inputs()])):
        return found
    schema = node.schema()
    if schema == "(no schema)" or (name not in EAGER_FORMS and _takes_any_type(schema)):
        raise Unsupported(kind)
    call = bind_operator(schema)
    as_list = [each.type().kind() == "ListType" for each in node.outputs()] == [True]

    def operate_on_tensors(values: list[Any]) -> Any:
        if any(type(value) is SizeTensor for value in values) and _are_sizes(values):
            return _wrap(_compute_unseen(call, values))
        result = call([unwrap(value) for value in values])
        return list(result) if as_list else result

    return operate_on_tensors


def _find_python_operator(name: str, types: Sequence[Any]) -> Operate | None:
    if not types:
        return None
    first, texts = types[0].kind(), list(map(str, types))
    if name in CONVERSIONS:
        return CONVERSIONS[name]
    table = (
        ON_TENSORS
        if first == "TensorType"
        else ON_CONTAINERS
        if first in ("ListType", "DictType", "StringType", "TupleType") and name not in _JOINING
        else ON_NUMBERS
    )
    function = table.get(name)
    # A number and a tensor are an op of torch's.
    if function is None or (table is not ON_TENSORS and table is not ON_CONTAINERS and "Tensor" in texts):
        return None
    if table is ON_TENSORS:
        return lambda values: function(*map(unwrap, values))
    return lambda values: function(*values)


_ANY_TYPE = re.compile(r"\bt(?:Val|\d)?\b")


def _takes_any_type(schema: str) -> bool:
    """Whether an operator is one of TorchScript's own, on values of any type, which Python cannot call."""
    return any(_ANY_TYPE.search(str(each.type)) for each in torch._C.parse_schema(schema).arguments)


_JOINING = frozenset(("cat", "stack"))


def _are_sizes(values: list[Any]) -> bool:
    """Whether all tensors among some values are sizes, or numbers that are constants of the graph."""
    return all(
        value.dim() == 0 and not value.is_meta for value in values if isinstance(value, Tensor)
    ) and not any(isinstance(each, Tensor) for value in values if isinstance(value, list) for each in value)


def _compute_unseen(call: Operate, values: list[Any]) -> Any:
    with DisableTorchFunction(), unseen_by_dispatch_modes():
        return call([unwrap(value) for value in values])


def _wrap(result: Any) -> Any:
    if isinstance(result, Tensor):
        return SizeTensor(result)
    if isinstance(result, (list, tuple)):
        return [_wrap(each) for each in result]
    return result


@cache
def bind_operator(text: str) -> Operate:
    """Find the function for an operator of a schema.

    One that a declaration describes is called by the name by which eager code calls it: the recorder then
    records it before torch takes it apart.
    """
    schema = torch._C.parse_schema(text)
    space, _, name = schema.name.partition("::")
    known = _find_function(name, schema) if space == "aten" else None
    return known or _find_operator(space, name, schema)


def _takes_tensors(schema: Any) -> bool:
    """Whether an operator takes or gives tensors; some of the same name take lists of numbers."""
    return any("Tensor" in str(each.type) for each in (*schema.arguments, *schema.returns))


def _find_operator(space: str, name: str, schema: Any) -> Operate:
    """Find the operator that torch has registered with a schema."""
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
    torch,
    torch.Tensor,
    *[getattr(torch._C, name) for name in ("_nn", "_linalg", "_fft", "_special")],
    functional,
)


def _find_function(name: str, schema: Any) -> Operate | None:
    """Find the function of eager code for an aten op, if the recorder knows it."""
    if (form := EAGER_FORMS.get(name)) is not None:
        return lambda values: form(*values)
    if not _takes_tensors(schema):
        return None
    arguments = schema.arguments
    for place in _PLACES:
        function = getattr(place, name, None)
        if function is None or not any(function in table for table in (DESCRIBED, WHOLE, UNCHANGED)):
            continue
        # What torch makes from its schemas takes the arguments in their order.
        if isbuiltin(function) or ismethoddescriptor(function):
            return _bind_in_order(function, arguments)
        if (bound := _bind_by_name(function, arguments)) is not None:
            return bound
    return None


def _bind_in_order(function: Callable[..., Any], arguments: Sequence[Any]) -> Operate:
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
        return function(*values[:last], **named)

    return call


_RENAMED = {"self": "input", "train": "training"}
_DROPPED = frozenset(("cudnn_enabled", "cudnn_enable"))
"""Arguments that change nothing that is counted, and that eager code does not give."""


def _bind_by_name(function: Callable[..., Any], arguments: Sequence[Any]) -> Operate | None:
    try:
        parameters = signature(function).parameters
    except (TypeError, ValueError):
        return None
    if any(
        each.kind not in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        for each in parameters.values()
    ):
        return None
    names = [
        each.name if each.name in parameters else _RENAMED.get(each.name, each.name) for each in arguments
    ]
    if any(name not in parameters and name not in _DROPPED for name in names):
        return None
    converters = [_find_converter(each) for each in arguments]

    def call(values: list[Any]) -> Any:
        return function(
            **{
                name: value if convert is None else convert[value]
                for name, value, convert in zip(names, values, converters, strict=True)
                if name not in _DROPPED
            }
        )

    return call


class _Codes(dict[Any, Any]):
    """A table of what torch's functions take in place of numbers; what is not in it stays as it is."""

    def __missing__(self, key: Any) -> Any:
        return key


_CONVERTERS = {
    "ScalarType": _Codes(DTYPES),
    "Layout": _Codes(LAYOUTS),
    "MemoryFormat": _Codes(MEMORY_FORMATS),
}


def _find_converter(argument: Any) -> dict[Any, Any] | None:
    text = str(argument.real_type).removeprefix("Optional[").removesuffix("]")
    return _CONVERTERS.get(text)


_NO_DEFAULT: Any = object()


def _is_default(value: Any, default: Any) -> bool:
    return value is default or (
        type(value) is type(default) and not isinstance(value, Tensor) and value == default
    )
