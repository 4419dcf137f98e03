"""Which op made which tensor, by the tensor's id.

An id stands for one tensor only as long as that tensor lives; the next one may be given the same.
So a tensor that is entered here must outlive its entry, and each kind does in its own way:

- parameters belong to the model, which the caller holds;
- the caller's tensors, and what torch has made on meta, are kept here. They have no elements
  that would take memory;
- blanks are held by ``MetaPool`` until they are taken back, after the last question was asked here. Until
  then none is lent twice. One that another trace was lent before has no entry, since every
  recorder has its own ``Producers``: the pool outlives entries, never the other way round;
- meta doubles are held beside their originals by who makes them;
- the tensors of a real run have elements. To keep all would take the memory of a training step, so the
  entry goes with the tensor: a weak reference takes it out as the tensor dies, which is before
  its id can be given again.

A tensor without an entry (a constant, what a question gave) may die at any time.
"""

from collections.abc import Callable, Iterable, Sequence
from weakref import ReferenceType, ref

from torch import Tensor

from resflops.records import CONSTANT, MODEL_INPUT

__all__ = ["Producers", "unless_main"]


class Producers:
    """The op that made each tensor of one pass, and which output of it the tensor is.

    Args:
        parameters: what ``OpRecord.producers`` says of parameters, by id.
        real: whether tensors have elements.
    """

    def __init__(self, parameters: dict[int, int], *, real: bool) -> None:
        self.made = parameters
        """Tensor id to op; open to the recorder, which writes a blank's entry with every op."""
        self.slots: dict[int, int] = {}
        """Tensor id to which output of its op it is, where it is not the main one."""
        self._real = real
        self._kept: list[Tensor] = []
        # A weak reference that nobody holds never calls back.
        self._watched: list[ReferenceType[Tensor]] = []

    def take_inputs(self, tensors: Iterable[Tensor]) -> None:
        """Remember which tensors came from the caller."""
        for tensor in tensors:
            self._kept.append(tensor)
            self.made[id(tensor)] = MODEL_INPUT

    def remember(self, out: Tensor, op: int) -> None:
        """Remember which op made a tensor that is no blank."""
        self.made[id(out)] = op
        if self._real:
            self._watched.append(ref(out, self._forgetting(id(out))))
        else:
            self._kept.append(out)

    def number(self, outs: Sequence[Tensor], op: int) -> None:
        """Remember which output of its op each tensor is."""
        for slot, out in enumerate(outs):
            if slot:
                self.made[id(out)], self.slots[id(out)] = op, slot
            else:
                self.slots.pop(id(out), None)

    def double(self, tensor: Tensor, double: Tensor) -> None:
        """A meta double comes from where its original came from."""
        if id(tensor) in self.made:
            self.made[id(double)] = self.made[id(tensor)]

    def maker(self, tensor: Tensor) -> int:
        """The op that made a tensor, or what ``OpRecord.producers`` says of one that no op made."""
        return self.made.get(id(tensor), CONSTANT)

    def makers(self, tensors: Iterable[Tensor]) -> tuple[int, ...]:
        """The ops that made some tensors, each once, in order."""
        return tuple(sorted({op for op in map(self.maker, tensors) if op >= 0}))

    def origins(self, tensors: tuple[Tensor, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What ``producers`` and ``slots`` of a record say of some tensors as they are now."""
        slots = [self.slots.get(id(tensor), 0) for tensor in tensors]
        return tuple(map(self.maker, tensors)), unless_main(slots)

    def _forgetting(self, key: int) -> Callable[[ReferenceType[Tensor]], None]:
        made, slots = self.made, self.slots

        def forget(_: ReferenceType[Tensor]) -> None:
            made.pop(key, None)
            slots.pop(key, None)

        return forget


def unless_main(slots: list[int]) -> tuple[int, ...]:
    """A record's ``slots``, which are left out where all are main outputs."""
    return tuple(slots) if any(slots) else ()
