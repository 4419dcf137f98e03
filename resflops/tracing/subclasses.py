"""Tensors of classes of a model's own, made by calling the class: ``Bias(16, 16)``.

Torch makes the tensor first and then gives it the class, which fails where a dispatch mode has handed the
tensor to Python in between, as a recorder's does (torch 2.6 to 2.15). So a pass that meets this is done
again, with constructors hidden from the mode.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local
from typing import Any

from torch import Tensor
from torch._C import DisableTorchFunction
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes

__all__ = ["hide_constructors", "is_constructor_error"]

_thread = local()
_lock = Lock()
_users = [0]


def is_constructor_error(error: BaseException | None) -> bool:
    """Whether torch could not make a tensor of a class because a mode was on, from which it can be hidden."""
    refused = isinstance(error, RuntimeError) and str(error).startswith("Creating a new Tensor subclass")
    return refused and not getattr(_thread, "tracing", 0)


@contextmanager
def hide_constructors() -> Iterator[None]:
    """Hide from the modes of this thread how tensors of classes are made, as long as this lasts."""
    with _lock:
        _users[0] += 1
        if _users[0] == 1:
            Tensor.__new__ = _construct  # type: ignore[assignment]
    _thread.tracing = getattr(_thread, "tracing", 0) + 1
    try:
        yield
    finally:
        _thread.tracing -= 1
        with _lock:
            _users[0] -= 1
            if not _users[0]:
                # It was inherited, and is uncovered.
                del Tensor.__new__


_construct_in_torch = Tensor.__new__


def _construct(cls: type[Tensor], *args: Any, **kwargs: Any) -> Tensor:
    if cls is Tensor or not getattr(_thread, "tracing", 0):
        return _construct_in_torch(cls, *args, **kwargs)
    with DisableTorchFunction(), unseen_by_dispatch_modes():
        if len(args) == 1 and isinstance(args[0], Tensor):
            return args[0].as_subclass(cls)
        return _construct_in_torch(cls, *args, **kwargs)
