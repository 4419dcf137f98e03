"""Functions that are one op each without a description: they run as they are, and the result is recorded."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from resflops.records import Attribute
from resflops.tracing.call_through import call_through
from resflops.tracing.meta import META, tensors_in
from resflops.tracing.torch_functions import FACTORIES, WHOLE

if TYPE_CHECKING:
    from resflops.tracing.recorder import Recorder

__all__ = ["ALONE", "run_alone"]

ALONE = frozenset([*FACTORIES, torch.Tensor.__setitem__])
"""Such functions, besides those of ``WHOLE``."""


def run_alone(
    recorder: "Recorder", func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], layer: str
) -> Any:
    """Run such a function, and record it as the op that it is."""
    if func in FACTORIES:
        out = call_through(func, args, kwargs if recorder.real else {**kwargs, "device": META})
        recorder.note(FACTORIES[func], layer, (), (out,), {})
    elif func is torch.Tensor.__setitem__:
        target, index, value = args
        target[index] = out = value
        written: dict[str, Attribute] = {"written": _written(target, index)}
        recorder.note("setitem", layer, tuple(tensors_in((target, value))), (target,), written)
    else:
        out = call_through(func, args, kwargs)
        outs = tuple(tensors_in(out))
        recorder.note(WHOLE[func], layer, tuple(tensors_in(args)), outs, {})
    return out


def _written(target: torch.Tensor, index: Any) -> int:
    """The elements that an assignment overwrites; 0 by a mask, whose values alone say how many."""
    if any(each.dtype in (torch.bool, torch.uint8) for each in tensors_in(index)):
        return 0
    elements: int = target[index].numel()
    return elements
