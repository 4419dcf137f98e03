"""What a TorchScript graph does without torch: arithmetic with numbers, lists, dicts, and questions.

It does what TorchScript does. So a division of whole numbers by ``aten::div`` gives a fraction, and a list is
changed in place.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._C import DisableTorchFunction
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes

from resflops.tracing.torchscript.values import Operate, SizeTensor, Unsupported, find_dtype_code, unwrap

__all__ = ["CONVERSIONS", "ON_CONTAINERS", "ON_NUMBERS", "ON_TENSORS", "PRIMITIVE"]

Function = Callable[..., Any]


def _make_conversion(convert: Function) -> Callable[[list[Any]], Any]:
    def operate(values: list[Any]) -> Any:
        (value, *_) = values
        if type(value) is SizeTensor:
            with DisableTorchFunction(), unseen_by_dispatch_modes():
                return convert(value.tensor.item())
        return convert(value)

    return operate


def _take_number(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) else value


CONVERSIONS = {
    "Int": _make_conversion(int),
    "IntImplicit": _make_conversion(int),
    "Float": _make_conversion(float),
    "FloatImplicit": _make_conversion(float),
    "Bool": _make_conversion(bool),
    "ScalarImplicit": _make_conversion(_take_number),
    "item": _make_conversion(_take_number),
    "str": lambda values: str(values[0]),
}
"""What makes a number of a tensor, or of another number."""


def _read_size(tensor: Tensor, dim: int | None = None) -> Any:
    return list(tensor.size()) if dim is None else tensor.size(dim)


ON_TENSORS: dict[str, Function] = {
    "size": _read_size,
    "dim": lambda tensor: tensor.dim(),
    "numel": lambda tensor: tensor.numel(),
    "len": len,
    "is_floating_point": lambda tensor: tensor.is_floating_point(),
    "is_complex": lambda tensor: tensor.is_complex(),
    "stride": lambda tensor, *dim: tensor.stride(*dim) if dim else list(tensor.stride()),
    "__is__": operator.is_,
    "__isnot__": operator.is_not,
    "_unwrap_optional": lambda value: value,
    "wait": lambda value: value,
}
"""Questions about a tensor, and what gives it as it is."""


def _set_item(container: Any, key: Any, value: Any) -> Any:
    container[key] = value
    return container


def _append(items: list[Any], item: Any) -> list[Any]:
    items.append(item)
    return items


def _extend(items: list[Any], more: list[Any]) -> list[Any]:
    items.extend(more)
    return items


def _slice(items: Any, start: int | None = None, stop: int | None = None, step: int = 1) -> Any:
    return items[slice(start, stop, step)]


def _delete(container: Any, key: Any) -> None:
    del container[key]


def _cut(text: str, start: int = 0, end: int = -1) -> str:
    """Cut a text at an end that counts from the back as TorchScript counts it: -1 is the whole text."""
    return text[start : end if end >= 0 else len(text) + 1 + end]


ON_CONTAINERS: dict[str, Function] = {
    "__getitem__": operator.getitem,
    "select": operator.getitem,
    "_set_item": _set_item,
    "Delete": _delete,
    "__contains__": operator.contains,
    "len": len,
    "append": _append,
    "extend": _extend,
    "add_": _extend,
    "insert": lambda items, place, item: items.insert(place, item),
    "pop": lambda container, *key: container.pop(*key),
    "clear": lambda container: container.clear(),
    "reverse": lambda items: items.reverse(),
    "copy": lambda container: container.copy(),
    "list": list,
    "dict": dict,
    "slice": _slice,
    "add": operator.add,
    "mul": operator.mul,
    "eq": operator.eq,
    "ne": operator.ne,
    "index": lambda items, item, *where: items.index(item, *where),
    "count": lambda items, item: items.count(item),
    "keys": lambda items: list(items.keys()),
    "values": lambda items: list(items.values()),
    "items": lambda items: list(items.items()),
    "get": lambda items, key, *default: items.get(key, *default),
    "update": lambda items, more: items.update(more),
    "format": lambda text, *values: text.format(*values),
    "percentFormat": lambda text, *values: text % values,
    "join": lambda text, items: text.join(items),
    "startswith": lambda text, start, *where: _cut(text, *where).startswith(start),
    "endswith": lambda text, end, *where: _cut(text, *where).endswith(end),
    "lower": lambda text: text.lower(),
    "split": lambda text, *how: text.split(*how),
    "replace": lambda text, *how: text.replace(*how),
    "warn": lambda *_: None,
    "all": all,
    "sum": sum,
    "sorted": sorted,
    "any": any,
    "__is__": operator.is_,
    "__isnot__": operator.is_not,
    "_unwrap_optional": lambda value: value,
    "wait": lambda value: value,
}
"""What is done to lists, dicts, tuples and texts."""


def _count_range(start: int, stop: int, step: int) -> int:
    return len(range(start, stop, step))


ON_NUMBERS: dict[str, Function] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "floordiv": operator.floordiv,
    "remainder": operator.mod,
    "neg": operator.neg,
    "pow": operator.pow,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
    "__not__": operator.not_,
    "__and__": operator.and_,
    "__or__": operator.or_,
    "__xor__": operator.xor,
    "__is__": operator.is_,
    "__isnot__": operator.is_not,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "ceil": math.ceil,
    "floor": math.floor,
    "abs": abs,
    "warn": lambda *_: None,
    "__range_length": _count_range,
    "__derive_index": lambda number, start, step: start + number * step,
    "_unwrap_optional": lambda value: value,
    "wait": lambda value: value,
}
"""What is done to numbers, truth values and None."""


def _always(operate: Operate) -> Callable[[Any], Operate]:
    """Do the same for every node of a name."""
    return lambda _: operate


def _give(value: Any) -> Callable[[Any], Operate]:
    return _always(lambda _: value)


def _read_attribute(name: str) -> Callable[[Any], Operate]:
    return _always(lambda values: getattr(unwrap(values[0]), name))


def _raise(values: list[Any]) -> Any:
    raise RuntimeError(str(values[0]) if values else "")


def _make_size(values: list[Any]) -> SizeTensor:
    with DisableTorchFunction(), unseen_by_dispatch_modes():
        return SizeTensor(torch.tensor(values[0], device="cpu"))


def _make_dict(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


_TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "NoneType": type(None),
    "Tensor": (Tensor, SizeTensor),
    "list": list,
    "tuple": tuple,
    "dict": dict,
}


def _bind_isinstance(node: Any) -> Operate:
    """Read of which types a value is asked to be: torch shows them in the text of the node alone."""
    text = str(node).partition("types=[")[2].partition("]]" if "[]]" in str(node) else "]")[0]
    kinds = [_TYPES.get(each.strip()) for each in text.split(",")]
    if None in kinds:
        raise Unsupported(f"prim::isinstance of {text}")

    def operate(values: list[Any]) -> bool:
        (value,) = values
        # In TorchScript a truth value is no whole number.
        return any(
            isinstance(value, kind) and (kind is not int or type(value) is not bool)
            for kind in kinds
            if kind is not None
        )

    return operate


PRIMITIVE: dict[str, Callable[[Any], Operate]] = {
    "ListConstruct": _always(list),
    "DictConstruct": _always(_make_dict),
    "ListUnpack": _always(lambda values: values[0]),
    "TupleUnpack": _always(lambda values: values[0]),
    "TupleIndex": _always(lambda values: values[0][values[1]]),
    "NumToTensor": _always(_make_size),
    "RaiseException": _always(_raise),
    "Uninitialized": _give(None),
    "unchecked_cast": _always(lambda values: values[0]),
    "unchecked_unwrap_optional": _always(lambda values: values[0]),
    "Print": _give(()),
    "min": _always(lambda values: min(*values)),
    "max": _always(lambda values: max(*values)),
    "rangelist": _always(lambda values: list(range(values[0]))),
    "isinstance": _bind_isinstance,
    "dtype": _always(lambda values: find_dtype_code(unwrap(values[0]).dtype)),
    "layout": _give(0),
    "type": _read_attribute("type"),
    "tolist": _always(lambda values: unwrap(values[0]).tolist()),
    "shape": _always(lambda values: list(unwrap(values[0]).shape)),
    "device": _read_attribute("device"),
    "requires_grad": _read_attribute("requires_grad"),
    "data": _read_attribute("data"),
    "is_cuda": _read_attribute("is_cuda"),
    "is_cpu": _read_attribute("is_cpu"),
    "is_quantized": _read_attribute("is_quantized"),
    "is_sparse": _read_attribute("is_sparse"),
    "is_leaf": _read_attribute("is_leaf"),
    "is_meta": _read_attribute("is_meta"),
    "is_nested": _read_attribute("is_nested"),
}
"""What torch has no op for, by the names of the nodes."""
