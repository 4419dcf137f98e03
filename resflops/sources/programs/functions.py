"""Which function each node of an exported program calls.

A program holds aten ops where the model has called functions such as ``torch.nn.functional.conv2d``. A node
is called as that function again if a trace has a description of it, so that the op is recorded as the model's
own is, and other counters see the functions that they patch. All other nodes are called as what they are.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, fx
from torch._ops import HigherOrderOperator, OpOverload
from torch.nn import functional

from resflops.errors import ModelError
from resflops.sources.programs.arguments import (
    OPERATOR_METHODS,
    REARRANGED,
    Target,
    arrange,
    bind,
    name_op,
    read_origin,
)
from resflops.tracing.torch_functions import DESCRIBED, FACTORIES, WHOLE

__all__ = ["choose_target", "is_left_out", "read_settings"]


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
    if isinstance(target, OpOverload) and name_op(target).startswith(_CHECKS):
        return True
    return _is_of_sizes(target) and all(map(is_left_out, node.users))


def _is_of_sizes(target: Any) -> bool:
    """Whether a target works on sizes, and so has no other effect than its result."""
    if isinstance(target, OpOverload):
        return target.namespace == "aten" and name_op(target) in _SIZES
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
    name, given = name_op(overload), bind(node, overload)
    if name in _SIZES:
        return Target(node.args, node.kwargs, _SIZES[name])
    if rearrange := REARRANGED.get(name):
        return rearrange(given, node)
    for place, called in _list_places(name, read_origin(node)):
        if _is_known(place, called):
            arranged = arrange(
                getattr(place, called), node, given, in_place=called == name.rstrip("_") != name
            )
            if arranged is not None:
                return Target(*arranged, place=place, name=called)
    return None


def read_settings(node: fx.Node) -> dict[str, Any]:
    """Read the plain arguments of an op, by their names in its schema."""
    if not isinstance(node.target, OpOverload):
        return {}
    schema, given = node.target._schema, bind(node, node.target)
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
    _, upsamples, mode = name_op(node.target).rstrip("123d").partition("upsample_")
    return {**plain, **numbers, **({"mode": mode} if upsamples else {})}


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
        places[:0] = [(Tensor, OPERATOR_METHODS.get(name, name)), (Tensor, name)]
    elif origin == ("builtin_function_or_method", name) and not own:
        places.insert(0, (torch, name))
    return places


_NAMED_OTHERWISE = {"im2col": "unfold", "col2im": "fold"}
"""Names that ops have in torch.nn.functional, if they have another one there."""


def _is_known(place: Any, name: str) -> bool:
    function = getattr(place, name, None)
    return function is not None and (function in DESCRIBED or function in WHOLE or function in FACTORIES)
