"""Blank tensors: meta tensors that stand for what an op gives, lent to a trace and taken back after it.

Making a tensor is the dearest part of recording an op, and a trace needs hundreds that
differ in nothing but shape and type. So those that nobody has touched or kept serve again.
"""

import threading
from sys import getrefcount
from weakref import getweakrefcount

import torch
from torch import Tensor
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes

from resflops.records import Shape
from resflops.tracing.meta import META

__all__ = ["MetaPool"]

Shelf = list[Tensor]
"""Blanks of one shape and type that nobody uses."""

_MOST = 1 << 14
"""How many blanks a thread keeps between traces: some ten megabytes."""


class _Store(threading.local):
    """The blanks of one thread: two traces at a time must never be lent the same one."""

    def __init__(self) -> None:
        self.shelves: dict[tuple[Shape, torch.dtype], Shelf] = {}
        self.size = 0


_STORE = _Store()


class MetaPool:
    """The blanks of one trace. All stay alive until they are taken back, so an id means one of them."""

    def __init__(self) -> None:
        self.touched = False
        """Whether torch itself has seen any: it may have made another tensor of it, or a view."""
        self._shelves = _STORE.shelves
        self._lent: list[Tensor] = []
        self._home: list[Shelf] = []
        self._made = 0

    def lend(self, kind: tuple[Shape, torch.dtype]) -> Tensor:
        """A meta tensor of a shape and type.

        Raises:
            RuntimeError, TypeError: torch cannot address one so large.
        """
        shelf = self._shelves.get(kind)
        if shelf:
            blank = shelf.pop()
        else:
            with unseen_by_dispatch_modes():
                blank = torch.empty(kind[0], dtype=kind[1], device=META)
            if shelf is None:
                shelf = self._shelves[kind] = []
            if torch.is_inference_mode_enabled():
                # Torch lets such a tensor do less, also when that mode is off again.
                shelf = []
            self._made += 1
        self._lent.append(blank)
        self._home.append(shelf)
        return blank

    def take_back(self) -> None:
        """Put back those that nobody else holds or has written on."""
        _STORE.size += self._made
        if _STORE.size > _MOST:
            _STORE.shelves, _STORE.size = {}, 0
        elif not self.touched:
            for blank, shelf, holders in zip(self._lent, self._home, _holders(self._lent), strict=True):
                if holders == _UNHELD and not getweakrefcount(blank) and not vars(blank):
                    shelf.append(blank)
        self._lent, self._home, self._made = [], [], 0


def _holders(tensors: list[Tensor]) -> list[int]:
    return [getrefcount(tensor) for tensor in tensors]


# What counts as a reference differs between versions of Python, so one that nobody holds tells it.
(_UNHELD,) = _holders([torch.empty(0, device=META)])
