"""Which op made which tensor, by the tensor's id.

An id stands for a tensor only as long as that tensor lives; afterwards Python may give the id to another
one. So a tensor that is entered here must outlive its entry. Each kind of tensor does so in its own way:

- Parameters belong to the model, which the caller holds.
- The caller's tensors, and what torch has made on meta, are kept here. On meta they have no elements
  that would take memory.
- Blanks are held by ``MetaPool`` until it takes them back, which is after the last look-up here, and until
  then none is lent twice. A blank that an earlier trace was lent has no entry here, since every recorder
  has a ``Producers`` of its own: the pool outlives the entries, never the other way round.
- Meta doubles are held, beside their originals, by the recorder that makes them.
- The tensors of a real run have elements, and keeping all of them would take the memory of a training
  step. So the entry goes with the tensor: a weak reference removes it as the tensor dies, which is before
  its id can be given to another.

A tensor without an entry, such as a constant, may die at any time.
"""

from collections.abc import Callable, Iterable, Sequence
from weakref import ReferenceType, ref

from torch import Tensor

from resflops.records import CONSTANT, MODEL_INPUT

__all__ = ["Producers", "drop_main_outputs"]


class Producers:
    """Knows the op that made each tensor of one pass, and which output of that op the tensor is.

    Args:
        parameters: the numbers that ``OpRecord.producers`` has for parameters, by id.
        real: whether tensors have elements.
    """

    def __init__(self, parameters: dict[int, int], *, real: bool) -> None:
        self.made = parameters
        """Tensor id to op. The recorder writes here itself, once for every op."""
        self.slots: dict[int, int] = {}
        """Tensor id to the place of the tensor among the outputs of its op, where it is not the main one."""
        self._real = real
        self._kept: list[Tensor] = []
        # Kept since a weak reference that dies before its tensor never calls back.
        self._watched: list[ReferenceType[Tensor]] = []

    def take_inputs(self, tensors: Iterable[Tensor]) -> None:
        """Remember which tensors came from the caller."""
        for tensor in tensors:
            # Kept, since a forward may take one out of a list that it was given, and drop it.
            self._kept.append(tensor)
            self.made[id(tensor)] = MODEL_INPUT

    def remember(self, out: Tensor, op: int) -> None:
        """Remember which op made a tensor that does not come from the pool."""
        self.made[id(out)] = op
        if self._real:
            self._watched.append(ref(out, self._make_forget(id(out))))
        else:
            self._kept.append(out)

    def number_outputs(self, outs: Sequence[Tensor], op: int) -> None:
        """Remember which output of its op each tensor is.

        An op in place gives its first input again, which may have been another output of an earlier op:
        its old number goes.
        """
        for slot, out in enumerate(outs):
            if slot:
                self.made[id(out)], self.slots[id(out)] = op, slot
            else:
                self.slots.pop(id(out), None)

    def enter_double(self, tensor: Tensor, double: Tensor) -> None:
        """Remember that a meta double comes from where its original came from."""
        if id(tensor) in self.made:
            self.made[id(double)] = self.made[id(tensor)]

    def enter_result(self, tensor: Tensor, blank: Tensor) -> None:
        """Remember that a tensor of a real run is the result that a blank stood for."""
        made = self.find_maker(blank)
        if made >= 0 and tensor is not blank:
            self.remember(tensor, made)
            if slot := self.slots.get(id(blank), 0):
                self.slots[id(tensor)] = slot

    def enter_write(self, tensors: Iterable[Tensor], op: int) -> None:
        """Remember that an op wrote into tensors that were there before the pass, and so made what they hold.

        A trace tells such tensors apart by their producer alone, so a write through a view of one must be its
        producer as well.
        """
        for tensor in tensors:
            self.made[id(tensor)] = op

    def find_maker(self, tensor: Tensor) -> int:
        """Look up the op that made a tensor, or what ``OpRecord.producers`` has for one that no op made."""
        return self.made.get(id(tensor), CONSTANT)

    def find_makers(self, tensors: Iterable[Tensor]) -> tuple[int, ...]:
        """Look up the ops that made some tensors, each once, in order."""
        return tuple(sorted({op for op in map(self.find_maker, tensors) if op >= 0}))

    def find_origins(self, tensors: tuple[Tensor, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Look up ``producers`` and ``output_indices`` of a record, for some tensors as they are now."""
        slots = [self.slots.get(id(tensor), 0) for tensor in tensors]
        return tuple(map(self.find_maker, tensors)), drop_main_outputs(slots)

    def _make_forget(self, key: int) -> Callable[[ReferenceType[Tensor]], None]:
        # Without self, which holds the weak reference: the two would form a cycle, and all tensors that are
        # kept here would wait for the garbage collector.
        made, slots = self.made, self.slots

        def forget(_: ReferenceType[Tensor]) -> None:
            made.pop(key, None)
            slots.pop(key, None)

        return forget


def drop_main_outputs(slots: list[int]) -> tuple[int, ...]:
    """Give a record's ``output_indices``, which are left out where all are main outputs."""
    return tuple(slots) if any(slots) else ()
