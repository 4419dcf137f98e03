"""Lifetimes: how long a model's own variables hold each tensor of a pass, beyond its last use.

On shapes no tensor is released before the pass ends, since its id stands for it until then. But nobody but
the recorder holds one that a plain run would have released. So the references to each tensor tell, and they
are counted before every op.
"""

import sys
from collections.abc import Collection, Sequence
from sys import getrefcount
from types import FrameType

import torch
from torch import Tensor

from resflops.records import OpRecord
from resflops.tracing.observers.observer import Observer

__all__ = ["Lifetimes"]


class Lifetimes(Observer):
    """Finds, for each memory that a pass on shapes makes, the last op during which a tensor of it is held."""

    counts_references = True

    def __init__(self) -> None:
        # By number: the tensors that lie in the memory and were held when it was last looked.
        self._living: dict[int, list[Tensor]] = {}
        self._held_until: dict[int, int] = {}
        self._last_use: dict[int, int] = {}
        self._storages: list[tuple[int, ...]] = []

    def __exit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        """Take what is held still for held until the end."""
        self._look(len(self._storages))
        for number in self._living:
            self._held_until[number] = len(self._storages)
        self._living.clear()

    def on_record(
        self, index: int, record: OpRecord, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> None:
        """Look which tensors were released before an op, and take note of its outputs."""
        del inputs
        # A number comes again where torch has refused a function after some of its ops were recorded.
        del self._storages[index:]
        self._look(index)
        self._storages.append(record.storages)
        slots = record.output_indices or (0,) * len(record.producers)
        for made, slot in (
            *zip(record.producers, slots, strict=True),
            *((m, 0) for m in record.affine_producers),
        ):
            if 0 <= made < index and slot < len(self._storages[made]):
                self._last_use[self._storages[made][slot]] = index
        for number, out in zip(record.storages, outputs, strict=False):
            if number >= 0:
                self._last_use[number] = index
                living = self._living.setdefault(number, [])
                if all(out is not each for each in living):
                    living.append(out)

    def list_held(self, given_back: Collection[int]) -> dict[int, int]:
        """List the memory that is held longer than it is used: its number, and the last op that finds it.

        What the model gives back is not among it.
        """
        return {
            number: last
            for number, last in self._held_until.items()
            if last > self._last_use.get(number, -1) and number not in given_back
        }

    def _look(self, index: int) -> None:
        """Find the memory that nobody holds any longer as an op begins."""
        _refresh_variables(sys._getframe(1))
        released = []
        for number, tensors in self._living.items():
            # No loop variable of this function may hold one of them while they are counted.
            if max(_count_references(tensors)) <= _REFERENCES_IF_FREE:
                released.append(number)
        for number in released:
            del self._living[number]
            self._held_until[number] = index - 1


def _refresh_variables(frame: FrameType | None) -> None:
    """Let go of what variables held when somebody last looked at them.

    Up to Python 3.12 a frame keeps what a look at its variables found, until the next look at them. The
    recorder looks, to find out which module a frame runs for.
    """
    if sys.version_info >= (3, 13):
        return
    while frame is not None and frame.f_code.co_name != "run_model":
        frame.f_locals  # noqa: B018 - looking is what refreshes it
        frame = frame.f_back


def _count_references(tensors: list[Tensor]) -> list[int]:
    return [getrefcount(tensor) for tensor in tensors]


def _measure_free() -> int:
    """Count the references to a tensor that two lists hold: the recorder's own, and the one here."""
    held = [torch.empty(0, device="meta")]
    also_held = list(held)
    (references,) = _count_references(also_held)
    return references


_REFERENCES_IF_FREE = _measure_free()
