"""What each op of a trace reads and makes: memory by number, and where a gradient is needed."""

from collections.abc import Iterator
from math import prod

from msgspec import Struct

from resflops.ops import OPS
from resflops.peak_memory.from_traces.layouts import Layout, find_layouts, is_in_order
from resflops.peak_memory.from_traces.sizes import ITEM_SIZES, Sizes
from resflops.records import MODEL_INPUT, PARAMETER, OpRecord, Shape, Trace

__all__ = ["Flow", "Node", "Value", "read_flow"]

_DIFFERENTIABLE = ("float", "bfloat", "complex")


class Value(Struct, frozen=True):
    """A tensor that an op reads."""

    producer: int
    """The op that made it, numbered as ``OpRecord.producers``; after a write, the op that wrote last."""
    slot: int = 0
    """Which output of that op it is."""


class Node(Struct, frozen=True, kw_only=True):
    """One op, with what it reads and makes."""

    place: int
    record: OpRecord
    operands: tuple[Value, ...]
    """Its inputs, then the weight and the bias that are not among them."""
    read: tuple[int, ...]
    """The number of each operand's memory; -1 for what was there before the pass."""
    sizes: tuple[int, ...]
    """The bytes of each operand, as it is read; 0 where that is not known."""
    in_order: tuple[bool, ...]
    """Whether the elements of each operand lie in the order of its shape."""
    outputs: tuple[int, ...]
    """The number of each output's memory; -1 for what was there before the pass."""
    output_sizes: tuple[int, ...]
    makes: tuple[int, ...]
    """The places among the outputs of those whose memory the op takes."""
    needs: tuple[int, ...]
    """The places among the operands of those that need a gradient which passes the op."""
    records: bool
    """Whether autograd records it."""
    scales: bool
    """Whether what it makes grows with the batch."""
    elements: int
    """How many elements the main output has, on the batch of the pass."""


class Flow(Struct, frozen=True, kw_only=True):
    """The ops of a trace, and when each memory is used last."""

    nodes: tuple[Node, ...]
    released: dict[int, list[int]]
    """By op: the memory that the model's variables hold no longer after it."""


def read_flow(trace: Trace, sizes: Sizes) -> Flow:
    """Read what each op reads and makes."""
    reader = _Reader(trace, sizes)
    nodes = tuple([reader.step(place, record) for place, record in enumerate(trace.ops)])
    last_use: dict[int, int] = {}
    for node in nodes:
        for number in (*node.read, *node.outputs):
            last_use[number] = node.place
    for number, place in (trace.held_until or {}).items():
        last_use[number] = max(last_use.get(number, place), place)
    for op in trace.outputs:
        for number in nodes[op].outputs:
            last_use[number] = len(nodes)
    released: dict[int, list[int]] = {}
    for number, place in last_use.items():
        released.setdefault(place, []).append(number)
    return Flow(nodes=nodes, released=released)


class _Reader:
    """A walk along the ops, with what is known of the tensors so far."""

    def __init__(self, trace: Trace, sizes: Sizes) -> None:
        self.parameters = [tensor for module in trace.modules for tensor in module.parameters]
        self._trace, self._sizes = trace, sizes
        self._layouts: list[tuple[Layout, ...]] = []
        self._nodes: list[Node] = []
        self._needs: list[bool] = []
        self._scales: list[bool] = []
        self._known: set[int] = set()
        # The last op that has written into each memory.
        self._writers: dict[int, int] = {}
        self._next_number = len(trace.ops) * 4

    def step(self, place: int, record: OpRecord) -> Node:
        """Read the next op."""
        operands = tuple([self._find_value(*each) for each in list_operands(record)])
        shapes = self._list_shapes(record, operands)
        scales = any(map(self._depends_on_input, operands)) or self._is_made_for_batch(record, operands)
        outputs = self._number_outputs(place, record, operands)
        makes = tuple(
            [
                at
                for at, number in enumerate(outputs)
                if number >= 0 and number not in self._known and number not in outputs[:at]
            ]
        )
        self._known.update(outputs)
        needs = self._find_needs(record, operands)
        joins = bool(operands) and self._joins_heads(record, operands[0])
        layouts = find_layouts(record, self._list_layouts(operands), shares=not makes and not joins)
        node = Node(
            place=place,
            record=record,
            operands=operands,
            read=tuple([self._find_number(each) for each in operands]),
            sizes=tuple(
                [
                    self._count(value, shape, scales=scales)
                    for value, shape in zip(operands, shapes, strict=True)
                ]
            ),
            in_order=tuple(map(is_in_order, self._list_layouts(operands))),
            outputs=outputs,
            output_sizes=tuple(
                [
                    self._sizes.count(shape, name_output_dtype(record, at), scales=scales)
                    for at, shape in enumerate(record.output_shapes)
                ]
            ),
            makes=makes,
            needs=needs,
            records=bool(needs),
            scales=scales,
            elements=self._sizes.scale(prod(record.output_shape), scales=scales),
        )
        self._nodes.append(node)
        self._needs.append(bool(needs))
        self._scales.append(scales)
        self._layouts.append(layouts)
        declared = OPS.get(record.op)
        if not makes and outputs and not (declared is not None and declared.shares) and operands:
            self._writers[outputs[0]] = place
        return node

    def _number_outputs(self, place: int, record: OpRecord, operands: tuple[Value, ...]) -> tuple[int, ...]:
        """Number the memory of the outputs; in an older record all but views have their own."""
        if operands and self._joins_heads(record, operands[0]):
            return (self._find_number(operands[0]),)
        if record.storages:
            return tuple([number if number >= 0 else -1 for number in record.storages])
        declared = OPS.get(record.op)
        if operands and declared is not None and declared.shares == "always":
            return (self._find_number(operands[0]),) * len(record.output_shapes)
        first = self._next_number
        self._next_number += len(record.output_shapes)
        del place
        return tuple(range(first, self._next_number))

    def _joins_heads(self, record: OpRecord, operand: Value) -> bool:
        """Whether a multi-head attention joins its heads, which lie as those of the query do: side by side.

        The record has a copy, which torch makes only if the attention has no fused kernel.
        """
        if record.op != "reshape" or operand.producer < 0:
            return False
        maker = self._trace.ops[operand.producer]
        if maker.op != "scaled_dot_product_attention" or maker.attributes.get("dropout"):
            return False
        batch, heads, length, width = maker.output_shape
        return record.output_shape in ((length, batch, heads * width), (length, heads * width)) and (
            maker.layer == record.layer
        )

    def _find_value(self, producer: int, slot: int) -> Value:
        """Find the value that is read: after a write through a view, what the write has left."""
        if producer < 0:
            return Value(producer)
        value = Value(producer, slot)
        writer = self._writers.get(self._find_number(value), -1)
        return Value(writer) if writer > producer else value

    def _find_number(self, value: Value) -> int:
        if value.producer < 0:
            return -1
        outputs = self._nodes[value.producer].outputs
        return outputs[value.slot] if value.slot < len(outputs) else -1

    def _find_needs(self, record: OpRecord, operands: tuple[Value, ...]) -> tuple[int, ...]:
        """Find the operands to which a gradient passes on."""
        if not record.records_gradient or not record.dtype.startswith(_DIFFERENTIABLE):
            return ()
        declared = OPS.get(record.op)
        takes = None
        if declared is not None and declared.gradient is not None:
            takes = declared.gradient.takes
        return tuple(
            [
                at
                for at, value in enumerate(operands)
                if (takes is None or at in takes) and self._value_needs(value)
            ]
        )

    def _value_needs(self, value: Value) -> bool:
        if value.producer < 0:
            return value.producer <= PARAMETER
        if value.slot:
            maker = self._nodes[value.producer].record
            if not name_output_dtype(maker, value.slot).startswith(_DIFFERENTIABLE):
                return False
        return self._needs[value.producer]

    def _depends_on_input(self, value: Value) -> bool:
        return value.producer == MODEL_INPUT or (value.producer >= 0 and self._scales[value.producer])

    def _is_made_for_batch(self, record: OpRecord, operands: tuple[Value, ...]) -> bool:
        """Whether something that is made of no tensor has the batch as its first size."""
        batch, shape = self._sizes.recorded_batch, record.output_shape
        return not operands and batch > 1 and shape[:1] == (batch,)

    def _list_shapes(self, record: OpRecord, operands: tuple[Value, ...]) -> list[Shape | None]:
        shapes: list[Shape | None] = list(record.input_shapes[: len(record.producers)])
        for value in operands[len(shapes) :]:
            if value.producer <= PARAMETER:
                shapes.append(self.parameters[PARAMETER - value.producer].shape)
            elif value.producer >= 0:
                shapes.append(self._nodes[value.producer].record.output_shapes[value.slot])
            else:
                shapes.append(None)
        return shapes

    def _count(self, value: Value, shape: Shape | None, *, scales: bool) -> int:
        if shape is None:
            return 0
        if value.producer <= PARAMETER:
            return self._sizes.count(shape, self.parameters[PARAMETER - value.producer].dtype, scales=False)
        if value.producer < 0:
            return self._sizes.count(
                shape, self._sizes.own_dtype, scales=scales and value.producer == MODEL_INPUT
            )
        maker = self._nodes[value.producer].record
        return self._sizes.count(
            shape, name_output_dtype(maker, value.slot), scales=self._scales[value.producer]
        )

    def _list_layouts(self, operands: tuple[Value, ...]) -> tuple[Layout, ...]:
        return tuple(
            [
                self._layouts[value.producer][value.slot]
                if value.producer >= 0 and value.slot < len(self._layouts[value.producer])
                else Layout()
                for value in operands
            ]
        )


def list_operands(record: OpRecord) -> Iterator[tuple[int, int]]:
    """List the tensors that an op takes, each by the op that made it and its place among the outputs."""
    slots = record.output_indices or (0,) * len(record.producers)
    yield from zip(record.producers, slots, strict=True)
    for producer in record.affine_producers:
        yield producer, 0


def name_output_dtype(record: OpRecord, slot: int) -> str:
    """Name the type of an output: indices after the first are whole numbers."""
    declared = OPS.get(record.op)
    if slot and declared is not None and declared.gives_indices:
        return "int64"
    return record.dtype if record.dtype in ITEM_SIZES else "float32"
