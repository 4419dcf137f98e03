"""Which memory each tensor of a pass lies in, by numbers that stand for memory.

Torch's own storages cannot tell in a pass on shapes, where blanks stand for views and each has a storage of
its own. There the record of the op that made a tensor has the tensor's number. Only an output of an op that
torch itself has run may be a true view of an input, as the two storages then tell.

In a real run the storages tell everything. A storage is known by its address. A weak reference keeps the
address from being used again, also after the memory itself is gone, so no tensor has to stay for it.
"""

from collections.abc import Iterable, Iterator, Sequence

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from resflops.ops import SharedWith
from resflops.records import CONSTANT, PARAMETER, OpRecord, StorageRecord
from resflops.tracing.modules import Modules
from resflops.tracing.producers import Producers

__all__ = ["Storages"]


class Storages:
    """Numbers the memory of one pass.

    Args:
        ops: what has been recorded so far.
        producers: which op made each tensor.
        real: whether tensors have elements.
    """

    def __init__(self, ops: list[OpRecord], producers: Producers, *, real: bool) -> None:
        self.further = 0
        """How many numbers went to outputs after the first. An op's first new memory has the number of the op
        plus this."""
        self._ops, self._producers, self._real = ops, producers, real
        self._by_address: dict[int, int] = {}
        # Weak references to storages; tensors of other kinds, which have none, themselves.
        self._kept: list[StorageWeakRef | Tensor] = []
        # By id of the double: the original, and the double itself.
        self._doubles: dict[int, tuple[Tensor, Tensor]] = {}
        # By -1 - number, for memory that was there before the pass: the tensors that have been seen in it.
        self._given: list[list[Tensor]] = []

    def find_number(self, tensor: Tensor) -> int:
        """Look up the number of a tensor's memory; what no op has made gets a negative number."""
        # The single ops of a function that is several have blanks in a real run, too.
        made = CONSTANT if self._real and not tensor.is_meta else self._producers.find_maker(tensor)
        if made >= 0:
            return self._ops[made].storages[self._producers.slots.get(id(tensor), 0)]
        original, _ = self._doubles.get(id(tensor), (tensor, tensor))
        address = _find_address(original)
        if address not in self._by_address:
            self._given.append([])
            self._enter_address(original, -len(self._given))
        number = self._by_address[address]
        if number < 0 and all(original is not each for each in self._given[-1 - number]):
            self._given[-1 - number].append(original)
        return number

    def number_blanks(self, shares: SharedWith, inputs: Sequence[Tensor], count: int) -> tuple[int, ...]:
        """Number the memory of several outputs that blanks stand for."""
        if shares == "first":
            return (self.find_number(inputs[0]),) * count
        if shares == "each":
            return tuple(map(self.find_number, inputs))
        first = len(self._ops) + self.further
        self.further += count - 1
        return tuple(range(first, first + count))

    def number_outputs(self, inputs: Sequence[Tensor | None], outs: Sequence[Tensor]) -> tuple[int, ...]:
        """Number the memory of the outputs of an op that torch itself has run."""
        numbers: list[int] = []
        known, first = [tensor for tensor in inputs if tensor is not None], True
        for out in outs:
            number = self._find_output(known, out)
            if number is None:
                number, first = self._make_number(first=first), False
            self._enter_address(out, number)
            numbers.append(number)
        return tuple(numbers)

    def enter_double(self, tensor: Tensor, double: Tensor) -> None:
        """Remember that a meta double stands for its original, which the recorder holds beside it."""
        self._doubles[id(double)] = (tensor, double)

    def enter_result(self, tensor: Tensor, blank: Tensor) -> None:
        """Remember that a tensor of a real run is the result that a blank stood for."""
        self._enter_address(tensor, self.find_number(blank))

    def find_given(self, number: int) -> Iterator[Tensor]:
        """Find the tensors, and their meta doubles, whose memory has a negative number."""
        found = self._given[-1 - number]
        yield from found
        ids = set(map(id, found))
        yield from [double for original, double in self._doubles.values() if id(original) in ids]

    def list_given(self, modules: Modules, inputs: Iterable[tuple[str, Tensor]]) -> tuple[StorageRecord, ...]:
        """List what the negative numbers stand for, given the inputs by their names."""
        if not self._given:
            return ()
        makers = {id(each): self._producers.find_maker(each) for tensors in self._given for each in tensors}
        # Most often these are all: a class token, or positions. Nothing else is looked through then.
        named = {key: modules.name_parameter(made) for key, made in makers.items() if made <= PARAMETER}
        if len(named) < len(makers):
            named |= {id(tensor): StorageRecord(kind="input", name=name) for name, tensor in inputs}
            named |= modules.name_tensors(makers.keys() - named.keys())
        constant = StorageRecord(kind="constant")
        return tuple(
            [
                next((named[id(tensor)] for tensor in tensors if id(tensor) in named), constant)
                for tensors in self._given
            ]
        )

    def _find_output(self, inputs: list[Tensor], out: Tensor) -> int | None:
        """Find the number of an output that lies in memory which was there before; None if it does not."""
        if not self._real and self._producers.find_maker(out) >= 0:
            return self.find_number(out)
        address = _find_address(out)
        if address in self._by_address:
            return self._by_address[address]
        base = next((tensor for tensor in inputs if _find_address(tensor) == address), None)
        return None if base is None else self.find_number(base)

    def _make_number(self, *, first: bool) -> int:
        if not first:
            self.further += 1
        return len(self._ops) + self.further

    def _enter_address(self, tensor: Tensor, number: int) -> None:
        address = _find_address(tensor)
        if address not in self._by_address:
            self._kept.append(_refer(tensor) if address >= 0 else tensor)
            self._by_address[address] = number


def _find_address(tensor: Tensor) -> int:
    """Find the address of a tensor's storage; a negative number for one without, such as a sparse one."""
    try:
        address: int = tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):
        return -id(tensor)
    return address


def _refer(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
