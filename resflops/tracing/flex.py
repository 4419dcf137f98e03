"""flex_attention, which refuses meta tensors and insists on compiling itself.

It checks the devices of its inputs, and hands what it does to ``torch.compile``, which no
recorder can follow. So while a trace runs, what it asks in the thread of the trace is
answered as where nothing is compiled, and as on a device that it takes. Other threads are
answered as ever, and nothing of the user's is touched.
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

__all__ = ["TAKEN", "asks_from_within", "uncompiled"]

_MODULE = "torch.nn.attention.flex_attention"
_FLAG = "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG"

TAKEN = torch.device("cpu")
"""The device that flex_attention is told its meta tensors lie on."""


def asks_from_within(frame: FrameType) -> bool:
    """Whether it is flex_attention itself that asks for a tensor's device."""
    return frame.f_globals.get("__name__") == _MODULE


_here = local()
_lock = Lock()


class _Flag:
    """Stands for the module's flag: on in a thread that traces, and else what it was."""

    def __init__(self, own: object) -> None:
        self.own, self.users = own, 0

    def __bool__(self) -> bool:
        return bool(self.own) or getattr(_here, "tracing", 0) > 0


@contextmanager
def uncompiled() -> Iterator[None]:
    """Let flex_attention run as it is in this thread, where it has been imported."""
    # A model that uses it has imported it, and importing it takes longer than a count.
    module: Any = sys.modules.get(_MODULE)
    if module is None or not hasattr(module, _FLAG):
        yield
        return
    with _lock:
        flag = getattr(module, _FLAG)
        if not isinstance(flag, _Flag):
            flag = _Flag(flag)
            setattr(module, _FLAG, flag)
        flag.users += 1
    _here.tracing = getattr(_here, "tracing", 0) + 1
    try:
        yield
    finally:
        _here.tracing -= 1
        with _lock:
            flag.users -= 1
            if not flag.users and getattr(module, _FLAG) is flag:
                setattr(module, _FLAG, flag.own)


@describe_operator("flex_attention")
def flex_attention(query: Tensor, key: Tensor, value: Tensor, score_mod: Any = None, *more: Any) -> Steps:
    """Attention, and before it what the user's function does to the scores.

    The score function is counted element by element: all that it does, for every score. A
    mask's own function is not counted, nor the gradient through the scores.
    """
    del more
    if score_mod is not None and getattr(score_mod, "__name__", "") != "_identity":
        yield from _changed(score_mod, query, (*query.shape[:-1], key.shape[-2]))
    out: tuple[Tensor, ...] = yield infer_flex_attention(query, key, value)
    return out


def _changed(score_mod: Any, query: Tensor, shape: Shape) -> Part[None]:
    """What a score function does; it runs on all scores at once, where it can run on shapes."""
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
    # It has no rule: never in silence.
    yield Call("flex_attention.score_mod", (query,), shape)
