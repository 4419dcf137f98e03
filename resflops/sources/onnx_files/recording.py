"""The trace that is made while a graph is walked: its ops, what made their inputs, and in which memory."""

from msgspec import Struct

from resflops.ops import Call
from resflops.records import CONSTANT, MODEL_INPUT, OpRecord, Shape, StorageRecord
from resflops.sources.onnx_files.tensors import GraphTensor

__all__ = ["Origin", "Recording"]


class Origin(Struct, frozen=True):
    """Where a tensor comes from."""

    maker: int
    """The op that made it, or what ``OpRecord.producers`` has for what no op made."""
    place: int = 0
    """Its place among that op's outputs."""
    storage: int | None = None
    """The number of its memory; None until an output lies in it, for what was there before the pass."""


class Saved(Struct, frozen=True):
    """What a recording held at some time."""

    ops: list[OpRecord]
    nodes: list[int]
    given: list[StorageRecord]
    further: int


VIEWS = frozenset(("reshape", "view", "flatten", "squeeze", "unsqueeze"))
"""The ops whose result a runtime leaves where the input is: only its shape is another."""


class Recording:
    """Collects the ops of one pass through a graph."""

    def __init__(self) -> None:
        self.ops: list[OpRecord] = []
        self.given: list[StorageRecord] = []
        """The memory that was there before the pass and that outputs lie in."""
        self.node = 0
        """Which node of the graph itself is visited, by its place; those in its own graphs belong to it."""
        self.nodes: list[int] = []
        """For each op, the node that it is a part of."""
        self.folded: set[int] = set()
        """The nodes of which something follows from shapes and constants alone."""
        self._origins: dict[int, Origin] = {}
        # By id, as a name may stand for several tensors, one in each call of a function or trip of a loop.
        # The tensors stay, so that none takes over the id of another.
        self._kept: list[GraphTensor] = []
        self._records: dict[int, StorageRecord] = {}
        self._further = 0

    def enter_input(self, tensor: GraphTensor, name: str) -> None:
        """Enter an input of the graph."""
        self._enter(tensor, Origin(MODEL_INPUT), StorageRecord(kind="input", name=name))

    def enter_constant(self, tensor: GraphTensor, record: StorageRecord, number: int = CONSTANT) -> None:
        """Enter a parameter, a buffer or a constant.

        Args:
            tensor: the tensor.
            record: what it is.
            number: what ``OpRecord.producers`` has for it.
        """
        self._enter(tensor, Origin(number), record)

    def enter_alias(self, alias: GraphTensor, tensor: GraphTensor) -> None:
        """Enter a tensor that is another one under a further name."""
        self._enter(alias, self.find_origin(tensor), self._records.get(id(tensor)))

    def find_origin(self, tensor: GraphTensor) -> Origin:
        """Look up where a tensor comes from."""
        return self._origins.get(id(tensor.source or tensor), _CONSTANT)

    def record(self, call: Call, layer: str, outputs: tuple[GraphTensor, ...]) -> int:
        """Record one op, and return its index."""
        inputs: tuple[GraphTensor, ...] = call.inputs
        origins = [self.find_origin(tensor) for tensor in inputs]
        places = tuple([origin.place for origin in origins])
        index = len(self.ops)
        storages = self._number_memory(call.op, inputs, len(outputs))
        self.nodes.append(self.node)
        self.ops.append(
            OpRecord(
                op=call.op,
                layer=layer,
                input_shapes=tuple([_shape_of(tensor) for tensor in inputs]),
                output_shapes=tuple([_shape_of(tensor) for tensor in outputs]),
                dtype=outputs[0].dtype if outputs else "float32",
                attributes=call.attributes,
                producers=tuple([origin.maker for origin in origins]),
                output_indices=places if any(places) else (),
                affine_producers=tuple(
                    [self.find_origin(tensor).maker for tensor in call.affine if tensor is not None]
                ),
                storages=storages,
            )
        )
        for place, (tensor, storage) in enumerate(zip(outputs, storages, strict=True)):
            self._enter(tensor, Origin(index, place, storage))
        return index

    def save(self) -> "Saved":
        """Save what is recorded, to come back to it."""
        return Saved(list(self.ops), list(self.nodes), list(self.given), self._further)

    def restore(self, saved: "Saved") -> None:
        """Come back to what was recorded when it was saved."""
        self.ops, self.nodes = list(saved.ops), list(saved.nodes)
        self.given, self._further = list(saved.given), saved.further

    def _number_memory(self, op: str, inputs: tuple[GraphTensor, ...], count: int) -> tuple[int, ...]:
        if op in VIEWS and inputs and count:
            return (self._find_storage(inputs[0]),) * count
        first = len(self.ops) + self._further
        self._further += max(count - 1, 0)
        return tuple(range(first, first + count))

    def _find_storage(self, tensor: GraphTensor) -> int:
        tensor = tensor.source or tensor
        origin = self.find_origin(tensor)
        if origin.storage is None:
            self.given.append(self._records.get(id(tensor), StorageRecord(kind="constant")))
            storage = -len(self.given)
            self._enter(tensor, Origin(origin.maker, origin.place, storage))
            return storage
        return origin.storage

    def _enter(self, tensor: GraphTensor, origin: Origin, record: StorageRecord | None = None) -> None:
        if id(tensor) not in self._origins:
            self._kept.append(tensor)
        self._origins[id(tensor)] = origin
        if record is not None:
            self._records[id(tensor)] = record


_CONSTANT = Origin(CONSTANT)


def _shape_of(tensor: GraphTensor) -> Shape:
    """Give a shape; of a tensor of unknown sizes, the record of its op says so by its name."""
    return tensor.shape if tensor.is_known else ()
