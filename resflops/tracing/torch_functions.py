"""What the recorder does with a torch function, looked up by the function itself.

The functions that are ops are declared in ``resflops.ops`` and bound here. This module adds the functions
that are no ops: queries about tensors and ways out of torch.
"""

from collections.abc import Callable, Generator, Iterator
from inspect import isgetsetdescriptor
from typing import Any, TypeVar

import torch

from resflops.errors import DuplicateError
from resflops.ops import COMPOSITES, Call, SignedCall
from resflops.tracing.binding import bind_functions, bind_unchanged, resolve

__all__ = [
    "COMPOSITE",
    "CONTROL_FLOW",
    "DESCRIBED",
    "DEVICE",
    "EXITS",
    "FACTORIES",
    "GRADIENTS",
    "LAYOUTS",
    "OPERATORS",
    "QUERIES",
    "REPEATED",
    "WHOLE",
    "Describe",
    "Part",
    "Steps",
    "describe_operator",
    "run_operator",
]

SomeResult = TypeVar("SomeResult")

Part = Generator[Call | SignedCall, Any, SomeResult]
"""A generator over some calls of a function that is several ops. Each call is answered with its result, and
the generator returns what the calls come to."""

Steps = Part[Any]
"""All calls of such a function; returns the function's result."""

Describe = Callable[..., Call | SignedCall | Steps]
"""A pure function with the signature of the torch function that it describes. It reads shapes and says which
op the call is, on which tensors, and the shape of the result. No kernel runs, not even a meta kernel."""

SomeDescribe = TypeVar("SomeDescribe", bound=Describe)

DESCRIBED: dict[Callable[..., Any], Describe]
"""Torch function to its description."""

REPEATED: set[Callable[..., Any]]
"""The functions among them whose calls follow from shapes, types and plain arguments alone, so that the calls
of one may be cached by these."""

DESCRIBED, REPEATED = bind_functions()

COMPOSITE = frozenset(
    function for binding in COMPOSITES.values() for name in binding.functions for function in resolve(name)
)
"""The functions that are several ops."""

OPERATORS: dict[str, Describe] = {}
"""Descriptions of higher-order operators, by name: importing the modules that hold them takes longer than a
count."""


def describe_operator(name: str) -> Callable[[SomeDescribe], SomeDescribe]:
    """Register a description for a higher-order operator.

    Raises:
        DuplicateError: the operator has a description already.
    """

    def register(describe: SomeDescribe) -> SomeDescribe:
        if name in OPERATORS:
            raise DuplicateError(f"operator {name!r} has a description already; describe each operator once")
        OPERATORS[name] = describe
        return describe

    return register


CONTROL_FLOW: dict[str, Callable[..., Any]] = {}
"""What to run in place of a higher-order operator that calls the model's functions, by name."""


def run_operator(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function to run in place of a higher-order operator."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        CONTROL_FLOW[name] = run
        return run

    return register


def _find_everywhere(*names: str) -> Iterator[Callable[..., Any]]:
    """Find every function of some names, wherever torch offers one: torch, Tensor, torch.nn.functional."""
    yield from dict.fromkeys(function for name in names for function in resolve(f"*.{name}"))


def _find_getter(name: str) -> Callable[..., Any]:
    """Find the function that torch passes to a mode for a property of a tensor."""
    found: Callable[..., Any] = getattr(torch.Tensor, name).__get__
    return found


WHOLE = bind_unchanged("whole")
"""Views and copies that run unchanged, with the op that each is recorded as."""

FACTORIES = bind_unchanged("factories")
"""Functions that make a tensor from no tensor, which a trace on shapes makes on meta."""

_TENSOR_PROPERTIES = frozenset(("T", "H", "mT", "mH", "data", "grad", "real", "imag", "_grad", "_base"))

_PROPERTIES = [
    _find_getter(name)
    for name, found in vars(torch._C.TensorBase).items()
    if isgetsetdescriptor(found) and name not in _TENSOR_PROPERTIES
]

# Compared with == and not with is: every access to __get__ makes a new object.
DEVICE = _find_getter("device")
"""The one query that the recorder may answer itself."""

LAYOUTS = frozenset(
    _find_everywhere(
        "is_contiguous",
        "is_non_overlapping_and_dense",
        "is_set_to",
        "storage_offset",
        "stride",
        "_is_view",
        "dim_order",
        "storage",
        "untyped_storage",
        "_typed_storage",
    )
)
"""Queries about how a tensor lies in memory. Of the result of an op, only a pass with strides can tell."""

GRADIENTS = frozenset(_find_getter(name) for name in ("requires_grad", "grad_fn", "is_leaf"))
"""Queries whether a tensor has a gradient. With autograd off, as in most passes, none has."""

QUERIES: frozenset[Callable[..., Any]] = frozenset(
    [
        *(query for query in _PROPERTIES if query != DEVICE and query not in GRADIENTS),
        *_find_everywhere(
            "size", "dim", "numel", "nelement", "ndimension", "is_floating_point", "is_complex",
            "element_size", "is_tensor", "__len__", "__hash__", "get_device",
        ),
        torch._assert,
        torch.get_default_dtype,
    ]
)  # fmt: skip
"""Queries about a tensor, for which nothing is recorded."""

EXITS: dict[Callable[..., Any], str] = {
    getattr(torch.Tensor, name): name for name in ("numpy", "__array__", "__dlpack__", "data_ptr")
}
"""Ways out of torch, to numpy or to a kernel that torch does not run; what happens there is not seen."""
