"""What the nodes of a TorchScript graph compute: an op of torch's, or something that Python does itself."""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C import DisableTorchFunction
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes

from resflops.tracing.torchscript.eager_forms import EAGER_FORMS
from resflops.tracing.torchscript.functions import bind_operator, find_operator
from resflops.tracing.torchscript.python_operators import (
    CONVERSIONS,
    ON_CONTAINERS,
    ON_NUMBERS,
    ON_TENSORS,
    PRIMITIVE,
)
from resflops.tracing.torchscript.values import Operate, SizeTensor, Unsupported, unwrap

__all__ = ["REFUSED", "bind_node"]

REFUSED = ("aten::save", "aten::from_file")
"""What reads and writes files, which no count does."""


def bind_node(node: Any) -> Operate:
    """Find out how to compute what a node gives.

    Raises:
        Unsupported: Python cannot do it.
    """
    kind = node.kind()
    if kind in REFUSED:
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
        if _are_sizes(values):
            return _wrap(_compute_unseen(find_operator(schema), values))
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
    leaves = [each for value in values for each in (value if type(value) is list else (value,))]
    return not any(isinstance(each, Tensor) for each in leaves) and any(
        type(each) is SizeTensor and not each.constant for each in leaves
    )


def _compute_unseen(call: Operate, values: list[Any]) -> Any:
    with DisableTorchFunction(), unseen_by_dispatch_modes():
        return call([unwrap(value) for value in values])


def _wrap(result: Any) -> Any:
    if isinstance(result, Tensor):
        return SizeTensor(result)
    if isinstance(result, (list, tuple)):
        return [_wrap(each) for each in result]
    return result
