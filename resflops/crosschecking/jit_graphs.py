"""What a graph of ``torch.jit.trace`` has beside the ops of a model, and what it hides of them.

Counters that read such a graph charge the arithmetic on sizes that it records, and look into no call that it
keeps as one node: a function that is scripted for it, and a ``torch.autograd.Function``.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import Any

import torch
from torch import nn
from torch.overrides import _get_current_function_mode_stack

from resflops.cost import price
from resflops.cost.convention import MACS, Convention, make_charger
from resflops.records import Trace, Work
from resflops.tracing import trace
from resflops.tracing.recorder import Recorder

__all__ = ["CLOSED_CALLS", "SIZE_ARITHMETIC", "charge_closed_calls", "find_size_products", "has_closed_calls"]

CLOSED_CALLS = "inside of functions that torch.jit.trace keeps closed"
SIZE_ARITHMETIC = "arithmetic on the sizes of tensors"

_CLOSED = ("prim::callfunction", "prim::pythonop")
_SIZES = frozenset(("aten::size", "aten::numel", "aten::_shape_as_tensor"))
_CREATIONS = frozenset(
    f"aten::{prefix}{name}{suffix}"
    for name in ("arange", "empty", "eye", "full", "linspace", "ones", "rand", "randn", "tensor", "zeros")
    for prefix in ("", "new_")
    for suffix in ("", "_like")
)
"""What makes a tensor of numbers: from there on it is the model's own, whatever the numbers are."""

_ONLY_UNTRACED = {
    "torchvision.models.detection.roi_heads": ("paste_mask_in_image", "heatmaps_to_keypoints"),
}
"""Functions of modules where torchvision runs a scripted function instead while it is traced."""

_script: Any = import_module("torch.jit._trace")


def has_closed_calls(operators: Iterable[str]) -> bool:
    """Whether some of a graph's nodes are calls that it keeps closed."""
    return any(operator.lower().startswith(_CLOSED) for operator in operators)


def find_size_products(nodes: Iterable[Any]) -> list[Any]:
    """Find the multiplications of single numbers that come from sizes, and that Python does in a real run.

    Such are also those of ``interpolate``, which multiplies the sizes by the factors where it is traced.

    Args:
        nodes: the nodes of torchprofile's graph, in their order.
    """
    from_sizes: set[int] = set()
    constants: set[int] = set()
    found = []
    for node in nodes:
        outputs = {id(output) for output in node.outputs}
        inputs = {id(given) for given in node.inputs}
        if node.operator in _SIZES:
            from_sizes |= outputs
        elif node.operator in _CREATIONS:
            continue
        elif inputs <= constants:
            constants |= outputs
        elif inputs <= constants | from_sizes:
            from_sizes |= outputs
            if node.operator in ("aten::mul", "aten::mul_") and node.outputs[0].shape == []:
                found.append(node)
    return found


def charge_closed_calls(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], convention: Convention
) -> int:
    """Compute what a convention charges for the ops of a model that a jit trace does not show.

    It changes torch while it runs, so it is for a process of its own.
    """
    calls = _ClosedCalls()
    with calls.marked():
        handle = model.register_forward_pre_hook(calls.start)
        try:
            traced = trace(model, *args, **kwargs)
        finally:
            handle.remove()
    return _charge_places(traced, calls.places, convention)


def _charge_places(traced: Trace, places: Iterable[int], convention: Convention) -> int:
    charge, works = make_charger(convention, traced), price(traced, MACS).works
    return sum(each.amount for place in places for each in charge(traced.ops[place], works[place] or Work()))


class _ClosedCalls:
    """Notes which ops of a trace run inside of such a call."""

    def __init__(self) -> None:
        self.places: set[int] = set()
        self._recorder: Recorder | None = None

    def start(self, module: nn.Module, args: object) -> None:
        """Begin to note: a trace may take several passes, of which the last one counts."""
        del module, args
        self.places = set()
        modes = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
        self._recorder = next((mode for mode in modes if isinstance(mode, Recorder)), None)

    @contextmanager
    def marked(self) -> Iterator[None]:
        """Mark the functions that a jit trace would keep closed."""
        replaced: list[tuple[Any, str, Any, Any]] = [
            (cls, "forward", forward, staticmethod(self._mark(forward.__func__)))
            for cls in _list_subclasses(torch.autograd.Function)
            if isinstance(forward := vars(cls).get("forward"), staticmethod)
        ]
        for module, names in _ONLY_UNTRACED.items():
            if loaded := sys.modules.get(module):
                found = {name: vars(loaded)[name] for name in names if name in vars(loaded)}
                replaced += [(loaded, name, each, self._mark(each)) for name, each in found.items()]
        # What script_if_tracing made asks the first whether to compile, and the second to do so.
        replaced += [
            (_script, "is_tracing", _script.is_tracing, lambda: True),
            (_script, "script", _script.script, self._mark),
        ]
        for owner, name, _, replacement in replaced:
            setattr(owner, name, replacement)
        try:
            yield
        finally:
            for owner, name, original, _ in replaced:
                setattr(owner, name, original)

    def _mark(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def marked(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            ops = self._recorder.ops if self._recorder else []
            first = len(ops)
            try:
                return function(*args, **kwargs)
            finally:
                self.places.update(range(first, len(ops)))

        return marked


def _list_subclasses(cls: Any) -> Iterator[Any]:  # noqa: ANN401 - has a forward, which no type tells
    for each in cls.__subclasses__():
        yield each
        yield from _list_subclasses(each)
