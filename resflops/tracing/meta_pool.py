"""A pool of blanks: meta tensors that stand for the results of ops, lent to a trace and taken back after it.

Making a tensor is the most expensive part of recording an op, and a trace needs hundreds of tensors that
differ in nothing but shape, type and strides. So the blanks that nobody has touched or kept serve again.
"""

import threading
from sys import getrefcount
from weakref import getweakrefcount

import torch
from torch import Tensor
from torch._C import DisableTorchFunction
from torch._C import _DisableTorchDispatch as unseen_by_dispatch_modes

from resflops.ops import Blank
from resflops.tracing.meta import META

__all__ = ["MetaPool"]

Shelf = list[Tensor]
"""Blanks of one shape, type and strides that are free."""

_CAPACITY = 1 << 14
"""How many blanks a thread keeps between traces; they take some ten megabytes."""


class _Store(threading.local):
    """The blanks of one thread. Traces in two threads have two stores, so neither needs a lock."""

    def __init__(self) -> None:
        self.shelves: dict[Blank, Shelf] = {}
        self.size = 0


_STORE = _Store()


class MetaPool:
    """The blanks that one trace is lent.

    Every blank is held here until it is taken back, and no blank is lent twice before that, not even to a
    trace within this trace, which takes from the same shelves. So while the trace lasts, the id of a
    blank stands for one result of one op: ``Producers`` relies on it.
    """

    def __init__(self) -> None:
        self.touched = False
        """Whether torch itself has seen a blank: it may have made a view of it, say."""
        self.kinds: dict[int, Blank] = {}
        """Shape, type and strides of each blank that was lent since torch last saw one, by its id. To ask the
        blank itself takes longer, and while a mode is on many times as long."""
        self._shelves = _STORE.shelves
        self._lent: list[Tensor] = []
        self._shelf_of: list[Shelf] = []
        self._made = 0

    def lend(self, kind: Blank) -> Tensor:
        """Lend a meta tensor of a shape, type and strides.

        Raises:
            RuntimeError, TypeError: torch cannot address one so large.
        """
        shelf = self._shelves.get(kind)
        if shelf:
            blank = shelf.pop()
        else:
            # Otherwise the recorder's own modes would record the making of a blank as an op.
            with DisableTorchFunction(), unseen_by_dispatch_modes():
                blank = (
                    torch.empty(kind[0], dtype=kind[1], device=META)
                    if len(kind) == 2
                    else torch.empty_strided(kind[0], kind[2], dtype=kind[1], device=META)
                )
            if shelf is None:
                shelf = self._shelves[kind] = []
            if torch.is_inference_mode_enabled():
                # An inference tensor stays one after the mode has ended, and torch then lets nobody write
                # into it or save it for a backward pass. So it goes to a shelf that nobody keeps.
                shelf = []
            self._made += 1
        self.kinds[id(blank)] = kind
        self._lent.append(blank)
        self._shelf_of.append(shelf)
        return blank

    def touch(self) -> None:
        """Note that torch is about to see blanks, and may give them another shape."""
        self.touched = True
        self.kinds.clear()

    def take_back(self) -> None:
        """Put the blanks back that nobody else holds and nobody has set an attribute on.

        Call it once the ids of blanks are needed no more: from then on another trace may be lent them.
        """
        # An upper bound: blanks that do not come back are counted as well.
        _STORE.size += self._made
        if _STORE.size > _CAPACITY:
            _STORE.shelves, _STORE.size = {}, 0
        elif not self.touched:
            # Counted before the loop, whose own variable would be one more reference.
            counts = _count_references(self._lent)
            for blank, shelf, references in zip(self._lent, self._shelf_of, counts, strict=True):
                if references == _REFERENCES_IF_FREE and not getweakrefcount(blank) and not vars(blank):
                    shelf.append(blank)
        self._lent, self._shelf_of, self._made = [], [], 0


def _count_references(tensors: list[Tensor]) -> list[int]:
    return [getrefcount(tensor) for tensor in tensors]


# What getrefcount counts of its caller's own references differs between versions of Python. So it is
# measured here, on a tensor that only a list holds, as self._lent holds the blanks.
(_REFERENCES_IF_FREE,) = _count_references([torch.empty(0, device=META)])
