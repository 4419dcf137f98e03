"""Functions that are one op each and need no description: they run unchanged, and the result is recorded.

On meta they compute nothing; torch's own meta kernels give the result its shape, strides and type.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from resflops.records import Attribute
from resflops.tracing.call_through import call_through
from resflops.tracing.meta import META, find_tensors
from resflops.tracing.torch_functions import FACTORIES, WHOLE

if TYPE_CHECKING:
    from resflops.tracing.recorder import Recorder

__all__ = ["UNCHANGED", "run_unchanged"]

UNCHANGED = frozenset([*FACTORIES, torch.Tensor.__setitem__])
"""Functions that run unchanged, besides those of ``WHOLE``."""


def run_unchanged(
    recorder: "Recorder", func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], layer: str
) -> Any:
    """Run a function that is one op, and record that op."""
    if func in FACTORIES:
        out = call_through(func, args, kwargs if recorder.real else {**kwargs, "device": META})
        recorder.note(FACTORIES[func], layer, (), (out,), {})
    elif func is torch.Tensor.__setitem__:
        target, index, value = args
        target[index] = out = value
        written: dict[str, Attribute] = {"written": _count_written(target, index)}
        recorder.note("setitem", layer, tuple(find_tensors((target, value))), (target,), written)
    else:
        out = call_through(func, args, kwargs)
        outs = tuple(find_tensors(out))
        recorder.note(WHOLE[func], layer, tuple(find_tensors(args)), outs, {})
    return out


def _count_written(target: torch.Tensor, index: Any) -> int:
    """Count the elements that an assignment overwrites: 0 for a mask, since only its values say how many."""
    if any(tensor.dtype in (torch.bool, torch.uint8) for tensor in find_tensors(index)):
        return 0
    elements: int = target[index].numel()
    return elements
