"""The arguments of a node as the function takes them that is called for it.

Most functions of torch's take the arguments of their op. Those of torch.nn.functional that are written in
Python have other parameters, and some ops are called by other means, such as a subscript.
"""

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import takewhile
from types import FunctionType
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor, fx
from torch._ops import OpOverload
from torch.nn import functional

__all__ = ["OPERATOR_METHODS", "REARRANGED", "Target", "arrange", "bind", "name_op", "read_origin"]


class Target(Struct, frozen=True):
    """A function, and the arguments of a node as it takes them."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = {}
    function: Any = None
    """The function, if it is looked up in no place."""
    place: Any = None
    """Where it is looked up at every call, so that what somebody has put in its place is called."""
    name: str = ""


def name_op(overload: OpOverload) -> str:
    """Name an op without its library and its overload."""
    return str(overload._schema.name.partition("::")[2])


def bind(node: fx.Node, overload: OpOverload) -> dict[str, Any]:
    """Match a node's arguments with their names in the op's schema."""
    names = [argument.name for argument in overload._schema.arguments]
    return {**dict(zip(names, node.args, strict=False)), **node.kwargs}


def read_origin(node: fx.Node) -> tuple[str, str]:
    """Read which function of torch's the model has called: its kind and its name."""
    *_, origin = node.meta.get("torch_fn") or ("",)
    kind, _, name = str(origin).partition(".")
    return kind, name


OPERATOR_METHODS = {
    f"{name}{mark}": f"__{'i' if mark else ''}{operator}__"
    for name, operator in (("add", "add"), ("sub", "sub"), ("mul", "mul"), ("div", "truediv"))
    for mark in ("", "_")
}
"""The methods that Python's operators call, by the names of their ops."""


_RENAMED = {"self": "input", "train": "training"}
_NEGLECTED = ("cudnn_enable", "cudnn_enabled")


def arrange(
    function: Callable[..., Any], node: fx.Node, given: dict[str, Any], *, in_place: bool
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Put the arguments of a node into the order of a function; None if it does not take them."""
    parameters = _list_parameters(function)
    if not parameters:
        # Python's operators take two operands and nothing else.
        takes = not in_place and not (node.kwargs and function.__name__ in OPERATOR_METHODS.values())
        return (node.args, node.kwargs) if takes else None
    named = {name if name in parameters else _RENAMED.get(name, name): each for name, each in given.items()}
    for name in _NEGLECTED:
        named.pop(name, None)
    if in_place:
        named["inplace"] = True
    if not named.keys() <= set(parameters):
        return None
    # By place as far as possible, as a layer of torch's calls it.
    leading = tuple(takewhile(named.__contains__, parameters))
    return tuple(named.pop(name) for name in leading), named


@cache
def _list_parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """List the parameters of a function of torch.nn.functional; () if it has those of the op."""
    if not isinstance(function, FunctionType) or function.__module__ != functional.__name__:
        return ()
    parameters = inspect.signature(function).parameters.values()
    # Those that choose between two functions, as max_pool2d does, take the op's.
    chooses = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    return () if chooses else tuple(each.name for each in parameters)


Arguments = dict[str, Any]


def _call_getitem(index: Any, given: Arguments) -> Target:
    index = (*[slice(None)] * given.get("dim", 0), index)
    return Target((given["self"], index if len(index) > 1 else index[0]), place=Tensor, name="__getitem__")


def _is_of_subscript(node: fx.Node) -> bool:
    return read_origin(node)[1] == "__getitem__"


def _rearrange_select(given: Arguments, node: fx.Node) -> Target:
    if _is_of_subscript(node) and given["dim"] >= 0:
        return _call_getitem(given["index"], given)
    return Target(node.args, place=torch, name="select")


def _rearrange_unsqueeze(given: Arguments, node: fx.Node) -> Target:
    dim = given["dim"]
    if _is_of_subscript(node) and isinstance(dim, int):
        if dim >= 0:
            return _call_getitem(None, given)
        after = (None, *[slice(None)] * (-dim - 1))
        return Target((given["self"], (..., *after)), place=Tensor, name="__getitem__")
    return Target(node.args, place=torch, name="unsqueeze")


def _rearrange_slice(given: Arguments, _: fx.Node) -> Target | None:
    if given.get("dim", 0) < 0:
        return None
    start, end = given.get("start"), given.get("end")
    return _call_getitem(slice(start, None if end == sys.maxsize else end, given.get("step")), given)


def _rearrange_index(given: Arguments, _: fx.Node) -> Target:
    indices = tuple(slice(None) if each is None else each for each in given["indices"])
    return Target((given["self"], indices), place=Tensor, name="__getitem__")


def _rearrange_embedding(given: Arguments, _: fx.Node) -> Target:
    padding = given.pop("padding_idx", -1)
    kwargs = {} if padding == -1 else {"padding_idx": padding}
    return Target(
        (given.pop("indices"), given.pop("weight")), {**kwargs, **given}, place=functional, name="embedding"
    )


def _rearrange_to(given: Arguments, _: fx.Node) -> Target:
    # The method does not take these two, which say that it is a plain tensor as any other.
    kwargs = {name: value for name, value in given.items() if name not in {"self", "layout", "pin_memory"}}
    other = (kwargs.pop("other"),) if "other" in kwargs else ()
    return Target((given["self"], *other), kwargs, place=Tensor, name="to")


def _rearrange_copied_constant(_: Arguments, node: fx.Node) -> Target:
    # A constant is copied, since the program may write into it.
    return Target(node.args, place=torch, name="clone")


def _rearrange_alias(given: Arguments, _: fx.Node) -> Target:
    return _call_getitem(..., given)


def _rearrange_max_pool(given: Arguments, node: fx.Node) -> Target:
    name = name_op(node.target).removesuffix("_with_indices")  # type: ignore[arg-type]
    args = tuple(given.values())
    if all(user.args[1] == 0 or not user.users for user in node.users):
        return Target(args, function=partial(_pool, name))
    kwargs = {"return_indices": True}
    return Target(args, kwargs, place=functional, name=name)


def _pool(name: str, *args: Any) -> tuple[Tensor]:
    """Pool as a model does that does not ask where the largest elements were."""
    return (getattr(functional, name)(*args),)


REARRANGED: dict[str, Callable[[Arguments, fx.Node], Target | None]] = {
    "select": _rearrange_select,
    "unsqueeze": _rearrange_unsqueeze,
    "slice": _rearrange_slice,
    "index": _rearrange_index,
    "embedding": _rearrange_embedding,
    "to": _rearrange_to,
    "lift_fresh_copy": _rearrange_copied_constant,
    "alias": _rearrange_alias,
    **{f"adaptive_max_pool{dimensions}d": _rearrange_max_pool for dimensions in (1, 2, 3)},
    **{f"max_pool{dimensions}d_with_indices": _rearrange_max_pool for dimensions in (1, 2, 3)},
}
"""Ops whose functions take other arguments."""
