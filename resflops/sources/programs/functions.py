"""Which function each node of an exported program calls.

A program holds aten ops where the model has called functions such as ``torch.nn.functional.conv2d``. A node
is called as that function again if a trace has a description of it, so that the op is recorded as the model's
own is, and other counters see the functions that they patch. All other nodes are called as what they are.
"""

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import import_module
from itertools import takewhile
from types import FunctionType
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor, fx
from torch._ops import HigherOrderOperator, OpOverload
from torch.nn import functional

from resflops.errors import ModelError
from resflops.tracing.torch_functions import DESCRIBED, FACTORIES, WHOLE

__all__ = ["Target", "choose_target", "is_left_out", "read_settings"]


class Target(Struct, frozen=True):
    """A function, and the arguments of a node as it takes them."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = {}
    function: Any = None
    """The function, if it is looked up in no place."""
    place: Any = None
    """Where it is looked up at every call, so that what somebody has put in its place is called."""
    name: str = ""


_CHECKS = ("_assert_async", "_assert_scalar", "_assert_tensor_metadata", "sym_constrain_range")
"""How the names of ops begin that only check sizes, as the program was exported with them."""

_SIZES: dict[str, Callable[..., Any]] = {
    "sym_size": Tensor.size,
    "sym_numel": Tensor.numel,
    "sym_stride": Tensor.stride,
    "sym_storage_offset": Tensor.storage_offset,
}


def is_left_out(node: fx.Node) -> bool:
    """Whether a node does nothing for the result: it checks sizes, or only serves nodes that do."""
    target: Any = node.target
    if node.op != "call_function":
        return False
    if isinstance(target, OpOverload) and _name(target).startswith(_CHECKS):
        return True
    return _is_of_sizes(target) and all(map(is_left_out, node.users))


def _name(overload: OpOverload) -> str:
    return str(overload._schema.name.partition("::")[2])


def _is_of_sizes(target: Any) -> bool:
    """Whether a target works on sizes, and so has no other effect than its result."""
    if isinstance(target, OpOverload):
        return target.namespace == "aten" and _name(target) in _SIZES
    module, name = getattr(target, "__module__", ""), getattr(target, "__name__", "")
    return module in {"_operator", "math"} or (module in {"torch", "torch._C"} and name.startswith("sym_"))


def choose_target(node: fx.Node) -> Target:
    """Choose what a node calls.

    Raises:
        ModelError: it calls nothing that a program of torch.export's would.
    """
    target: Any = node.target
    if isinstance(target, OpOverload):
        return _choose_function(node, target) or Target(node.args, node.kwargs, target)
    if isinstance(target, HigherOrderOperator):
        return Target(node.args, node.kwargs, _OPERATORS.get(target.__name__, target))
    # Torch maps a function over a dimension by these, as flex_attention's.
    if _is_of_sizes(target) or getattr(target, "__module__", "") == "torch._functorch.predispatch":
        return Target(node.args, node.kwargs, target)
    raise ModelError(f"the program calls {target!r:.80}, which torch.export never writes; export it again")


def _run_with_grad_mode(enabled: bool, graph: Callable[..., Any], *operands: Any) -> Any:  # noqa: FBT001
    with torch.set_grad_enabled(enabled):
        return graph(*operands)


def _run_with_autocast(
    device_type: str,
    dtype: torch.dtype | None,
    enabled: bool,  # noqa: FBT001
    cache_enabled: bool | None,  # noqa: FBT001
    graph: Callable[..., Any],
    *operands: Any,
) -> Any:
    with torch.autocast(device_type, dtype=dtype, enabled=enabled, cache_enabled=cache_enabled):
        return graph(*operands)


def _run_functionalized(name: str, op: Callable[..., Any], **kwargs: Any) -> Any:
    """Run an op that writes into its arguments on copies of these, and give the copies, too."""
    return getattr(import_module("torch._higher_order_ops.auto_functionalize"), f"{name}_dense")(op, **kwargs)


_OPERATORS: dict[str, Callable[..., Any]] = {
    **{
        name: partial(_run_functionalized, name) for name in ("auto_functionalized", "auto_functionalized_v2")
    },
    "wrap_with_set_grad_enabled": _run_with_grad_mode,
    "wrap_with_autocast": _run_with_autocast,
}
"""What is called in place of operators that torch has for its compiler alone."""


def _choose_function(node: fx.Node, overload: OpOverload) -> Target | None:
    """Choose a function that a trace has a description of; None if there is none."""
    if overload.namespace != "aten":
        return None
    name, given = _name(overload), _bind(node, overload)
    if name in _SIZES:
        return Target(node.args, node.kwargs, _SIZES[name])
    if rearrange := _REARRANGED.get(name):
        return rearrange(given, node)
    for place, called in _list_places(name, _read_origin(node)):
        if _is_known(place, called):
            arranged = _arrange(
                getattr(place, called), node, given, in_place=called == name.rstrip("_") != name
            )
            if arranged is not None:
                return Target(*arranged, place=place, name=called)
    return None


def _bind(node: fx.Node, overload: OpOverload) -> dict[str, Any]:
    """Match a node's arguments with their names in the op's schema."""
    names = [argument.name for argument in overload._schema.arguments]
    return {**dict(zip(names, node.args, strict=False)), **node.kwargs}


def read_settings(node: fx.Node) -> dict[str, Any]:
    """Read the plain arguments of an op, by their names in its schema."""
    if not isinstance(node.target, OpOverload):
        return {}
    schema, given = node.target._schema, _bind(node, node.target)
    settings = {
        each.name: given.get(each.name, each.default_value)
        for each in schema.arguments
        if each.name in given or each.has_default_value()
    }
    plain = {name: value for name, value in settings.items() if not isinstance(value, fx.Node | list)}
    numbers = {
        name: tuple(value)
        for name, value in settings.items()
        if isinstance(value, list) and all(isinstance(each, int) for each in value)
    }
    _, upsamples, mode = _name(node.target).rstrip("123d").partition("upsample_")
    return {**plain, **numbers, **({"mode": mode} if upsamples else {})}


def _read_origin(node: fx.Node) -> tuple[str, str]:
    """Read which function of torch's the model has called: its kind and its name."""
    *_, origin = node.meta.get("torch_fn") or ("",)
    kind, _, name = str(origin).partition(".")
    return kind, name


_LIBRARY = torch._C._nn


def _list_places(name: str, origin: tuple[str, str]) -> list[tuple[Any, str]]:
    """List where a function of an op may be found, and its name there; first where the model has found it."""
    plain = _NAMED_OTHERWISE.get(name, name if name.endswith("__") else name.rstrip("_"))
    # Many of torch's functions are in torch.nn.functional, too, where other counters replace them.
    own = getattr(functional, name, None) in {getattr(torch, name, None), getattr(_LIBRARY, name, None)}
    places = [(functional, name if own else plain), (torch, name), (_LIBRARY, name), (Tensor, name)]
    if origin == ("function", plain):
        places.insert(0, (functional, plain))
    elif origin == ("method_descriptor", name):
        # It is the same for x + y and x.add(y).
        places[:0] = [(Tensor, _OPERATORS_OF.get(name, name)), (Tensor, name)]
    elif origin == ("builtin_function_or_method", name) and not own:
        places.insert(0, (torch, name))
    return places


_NAMED_OTHERWISE = {"im2col": "unfold", "col2im": "fold"}
"""Names that ops have in torch.nn.functional, if they have another one there."""
_OPERATORS_OF = {
    f"{name}{mark}": f"__{'i' if mark else ''}{operator}__"
    for name, operator in (("add", "add"), ("sub", "sub"), ("mul", "mul"), ("div", "truediv"))
    for mark in ("", "_")
}
"""The methods that Python's operators call, by the names of their ops."""


def _is_known(place: Any, name: str) -> bool:
    function = getattr(place, name, None)
    return function is not None and (function in DESCRIBED or function in WHOLE or function in FACTORIES)


_RENAMED = {"self": "input", "train": "training"}
_NEGLECTED = ("cudnn_enable", "cudnn_enabled")


def _arrange(
    function: Callable[..., Any], node: fx.Node, given: dict[str, Any], *, in_place: bool
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Put the arguments of a node into the order of a function; None if it does not take them."""
    parameters = _list_parameters(function)
    if not parameters:
        # Python's operators take two operands and nothing else.
        takes = not in_place and not (node.kwargs and function.__name__ in _OPERATORS_OF.values())
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
    return _read_origin(node)[1] == "__getitem__"


def _rearrange_select(given: Arguments, node: fx.Node) -> Target:
    if _is_of_subscript(node) and given["dim"] >= 0:
        return _call_getitem(given["index"], given)
    return Target(node.args, place=torch, name="select")


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
    name = _name(node.target).removesuffix("_with_indices")  # type: ignore[arg-type]
    args = tuple(given.values())
    if all(user.args[1] == 0 or is_left_out(user) for user in node.users):
        return Target(args, function=partial(_pool, name))
    kwargs = {"return_indices": True}
    return Target(args, kwargs, place=functional, name=name)


def _pool(name: str, *args: Any) -> tuple[Tensor]:
    """Pool as a model does that does not ask where the largest elements were."""
    return (getattr(functional, name)(*args),)


_REARRANGED: dict[str, Callable[[Arguments, fx.Node], Target | None]] = {
    "select": _rearrange_select,
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
