"""What each op of a trace reads, where tensors share memory: the value that the last write left there.

Autograd sees a write through a view as a new value of the whole base, made of the base's earlier value and
of what was written. Every other view is taken anew from that value when it is read next, even if the write
lies elsewhere in the memory. A write into the base itself makes a new value as any other op does.

Tensors are aliases here if they share memory *and* history. A detached tensor shares the memory alone: what
is written through it reaches no other tensor as far as gradients go. The same holds inside a
``torch.no_grad()``.
"""

from collections.abc import Iterator
from math import prod

from msgspec import Struct

from resflops.ops import OPS
from resflops.records import OpRecord, Trace

__all__ = ["Operand", "Reading", "Readings", "read_operands"]


class Operand(Struct, frozen=True):
    """A value that an op reads."""

    producer: int
    """The op that made the value, numbered as ``OpRecord.producers``. A write through a view makes a value of
    the whole base."""
    slot: int = 0
    """Which output of that op it is."""
    view: tuple[int, int] | None = None
    """Op and slot of the view as which the value of the base is read; None where it is read as a whole."""


class Reading(Struct, frozen=True):
    """What one op reads."""

    operands: tuple[Operand, ...]
    """Its inputs, then the weight and the bias that are not among them."""
    writes: bool = False
    """Whether it writes into memory that was there before it."""
    before: Operand | None = None
    """What it writes into through a view: the base as it was, which lives on in the base's new value whatever
    is written. It also stands among the operands, in place of the view."""


class Readings(Struct, frozen=True):
    """What all ops of a trace read."""

    by_op: tuple[Reading, ...]
    outputs: frozenset[int]
    """The ops that made the values that the model gave back."""
    elements: dict[int, int]
    """For each write through a view, how many elements the base has."""


def read_operands(trace: Trace) -> Readings:
    """Find out what each op of a trace reads."""
    reader = _Reader(trace)
    by_op = tuple([reader.step(place, record) for place, record in enumerate(trace.ops)])
    return Readings(by_op, frozenset(reader.find_outputs()), reader.elements)


class _Aliases(Struct, eq=False):
    """A base with all its views."""

    base: Operand
    """The base as it was made."""
    elements: int
    version: int = -1
    """The last op that wrote into it; -1 if none has."""

    @property
    def value(self) -> Operand:
        """The base as it is now."""
        return self.base if self.version < 0 else Operand(self.version)


class _Made(Struct, eq=False):
    """What an op made, or wrote into."""

    aliases: tuple[_Aliases, ...]
    """The aliases that each of its outputs belongs to."""
    is_view: bool = False
    """Whether its outputs are views and not the bases."""


class _Reader:
    """A walk along the ops in order, with what is known of the tensors so far."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._made: list[_Made] = []
        self._given: dict[int, _Aliases] = {}
        self._seen: set[int] = set()
        self.elements: dict[int, int] = {}

    def step(self, place: int, record: OpRecord) -> Reading:
        """Read the operands of the next op, and take note of what it makes or writes."""
        tensors = list(_list_tensors(record))
        reading = Reading(tuple([self._read(*tensor) for tensor in tensors]))
        made = _Made(
            tuple([_Aliases(Operand(place, at), prod(each)) for at, each in enumerate(record.output_shapes)])
        )
        shared = [number < 0 or number in self._seen for number in record.storages]
        self._seen.update(record.storages)
        if any(shared) and tensors and record.records_gradient:
            declared = OPS.get(record.op)
            if declared is None or not declared.shares:
                if shared[0]:
                    made, reading = self._write(place, record, tensors, reading)
            elif not (declared.gradient and declared.gradient.stops):
                each = declared.shares == "each"
                bases = [tensors[at if each else 0] for at in range(len(shared))]
                made = _Made(tuple(map(self._find_aliases, bases, record.storages)), is_view=True)
        self._made.append(made)
        return reading

    def find_outputs(self) -> Iterator[int]:
        """Find the ops that made the values that the model gave back."""
        for op in self._trace.outputs:
            yield op
            yield from [each.version for each in self._made[op].aliases if each.version > op]

    def _read(self, producer: int, slot: int) -> Operand:
        """Read a tensor, given the op that made it."""
        if producer < 0:
            return Operand(producer)
        made = self._made[producer]
        # A sparse tensor's parts are made with it, and have no shape of their own in the record.
        if slot >= len(made.aliases):
            return Operand(producer, slot)
        aliases = made.aliases[slot]
        # A tensor that was made after the last write was made of what that left. The view that was written
        # into is as much a view of the new value as any other.
        if aliases.version < producer or (aliases.version == producer and not made.is_view):
            return Operand(producer, slot)
        return Operand(aliases.version, view=(producer, slot) if made.is_view else None)

    def _write(
        self, place: int, record: OpRecord, tensors: list[tuple[int, int]], reading: Reading
    ) -> tuple[_Made, Reading]:
        """Take note of a write into a tensor."""
        number = record.storages[0]
        # Mostly the first, but addmm_ adds to its last input.
        at = next((at for at, tensor in enumerate(tensors) if self._find_number(*tensor) == number), 0)
        aliases = self._find_aliases(tensors[at], number)
        through_view = tensors[at][0] >= 0 and self._made[tensors[at][0]].is_view
        if through_view:
            self.elements[place] = aliases.elements
            operands = list(reading.operands)
            operands[at] = aliases.value
            reading = Reading(tuple(operands), writes=True, before=aliases.value)
        else:
            reading = Reading(reading.operands, writes=True)
        aliases.version = place
        own = [_Aliases(Operand(place, slot), prod(each)) for slot, each in enumerate(record.output_shapes)]
        return _Made((aliases, *own[1:]), is_view=through_view), reading

    def _find_number(self, producer: int, slot: int) -> int | None:
        """Find the number of a tensor's memory, if an op made the tensor."""
        storages = self._trace.ops[producer].storages if producer >= 0 else ()
        return storages[slot] if slot < len(storages) else None

    def _find_aliases(self, tensor: tuple[int, int], number: int) -> _Aliases:
        """Find the aliases of a tensor; one that no op made is known by the number of its memory."""
        producer, slot = tensor
        if producer >= 0 and slot < len(self._made[producer].aliases):
            return self._made[producer].aliases[slot]
        if number not in self._given:
            self._given[number] = _Aliases(Operand(producer), self._count_given(number))
        return self._given[number]

    def _count_given(self, number: int) -> int:
        """Count the elements of memory that was there before the pass; 0 for a constant."""
        if number >= 0:
            return 0
        given = self._trace.given_storages[-1 - number]
        if given.kind == "input":
            return sum(prod(each.shape) for each in self._trace.inputs if each.name == given.name)
        path, _, name = given.name.rpartition(".")
        module = self._trace.module_at.get(path)
        own = (*module.parameters, *module.buffers) if module else ()
        return sum(tensor.elements for tensor in own if tensor.name == name)


def _list_tensors(record: OpRecord) -> Iterator[tuple[int, int]]:
    """List the tensors that an op takes, each by the op that made it and its place among the outputs."""
    slots = record.output_indices or (0,) * len(record.producers)
    yield from zip(record.producers, slots, strict=True)
    # Gradient rules number the weight and the bias after the last input, so they come in this order.
    for producer in record.affine_producers:
        yield producer, 0
