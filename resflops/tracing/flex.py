"""flex_attention, which refuses meta tensors and insists on compiling itself.

It checks the devices of its inputs and hands its work to ``torch.compile``, which no recorder can follow.
So while a trace runs, flex_attention is told in the thread of the trace that it must not compile and that
its tensors are on a device that it accepts. Other threads get the usual answers, and nothing of the
user's is touched.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes

from resflops.ops import Call
from resflops.ops.attention import infer_flex_attention
from resflops.records import Shape
from resflops.tracing.meta import META
from resflops.tracing.torch_functions import Part, Steps, describe_operator

__all__ = ["CLAIMED_DEVICE", "disable_flex_compile", "is_flex_attention"]

_MODULE = "torch.nn.attention.flex_attention"
_FLAG = "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG"

CLAIMED_DEVICE = torch.device("cpu")
"""The device that flex_attention is told its meta tensors are on."""


def is_flex_attention(frame: FrameType) -> bool:
    """Whether flex_attention itself is asking, rather than the model or the rest of torch."""
    return frame.f_globals.get("__name__") == _MODULE


_thread = local()
_lock = Lock()


class _Flag:
    """Takes the place of the module's flag: true in a thread that traces, and what it was elsewhere.

    The flag is one for the process, so setting it to True would stop other threads from compiling.
    """

    def __init__(self, own: object) -> None:
        self.own, self.users = own, 0

    def __bool__(self) -> bool:
        return bool(self.own) or getattr(_thread, "tracing", 0) > 0


@contextmanager
def disable_flex_compile() -> Iterator[None]:
    """Let flex_attention run without compiling, in this thread."""
    # A model that uses it has imported it, and importing it takes longer than a count.
    module: Any = sys.modules.get(_MODULE)
    # Torch has the flag from 2.9 on; before, flex_attention always compiles.
    if module is None or not hasattr(module, _FLAG):
        yield
        return
    with _lock:
        flag = getattr(module, _FLAG)
        if not isinstance(flag, _Flag):
            flag = _Flag(flag)
            setattr(module, _FLAG, flag)
        flag.users += 1
    # A number, and not a flag: a forward pass may trace another model.
    _thread.tracing = getattr(_thread, "tracing", 0) + 1
    try:
        yield
    finally:
        _thread.tracing -= 1
        with _lock:
            flag.users -= 1
            # The last trace puts the user's flag back, unless somebody has set another one meanwhile.
            if not flag.users and getattr(module, _FLAG) is flag:
                setattr(module, _FLAG, flag.own)


@describe_operator("flex_attention")
def flex_attention(query: Tensor, key: Tensor, value: Tensor, score_mod: Any = None, *more: Any) -> Steps:
    """Describe attention and, before it, what the user's function does to the scores.

    The score function is counted in full for every score. A mask's own function is not counted, nor is
    the gradient through the scores.
    """
    del more
    if score_mod is not None and getattr(score_mod, "__name__", "") != "_identity":
        yield from _run_score_mod(score_mod, query, (*query.shape[:-1], key.shape[-2]))
    out: tuple[Tensor, ...] = yield infer_flex_attention(query, key, value)
    return out


def _run_score_mod(score_mod: Any, query: Tensor, shape: Shape) -> Part[None]:
    """Run a score function on the shape of all scores at once, so that its ops are recorded.

    Where it cannot run on shapes, one op without a rule stands for it.
    """
    if query.is_meta:
        with unseen_by_dispatch_modes():
            score = torch.empty(shape, dtype=query.dtype, device=META)
            places = [torch.empty(shape, dtype=torch.int32, device=META) for _ in shape]
        try:
            score_mod(score, *places)
        except (RuntimeError, TypeError, ValueError, IndexError):
            pass
        else:
            return
    # This op has no rule and shows as uncounted: what is not known must not count as zero.
    yield Call("flex_attention.score_mod", (query,), shape)
