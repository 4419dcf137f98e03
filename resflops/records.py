"""The values that flow between the stages: plain, frozen, torch-free data.

They are ``msgspec`` structs rather than frozen dataclasses because a trace makes hundreds of them, and a
frozen dataclass takes some twenty times as long to make. They compare, hash and go to JSON in the same way.
They hold no cycles, so those that come by the hundred are hidden from the garbage collector (``gc=False``).
Counts are ``int``, sizes are elements, shapes are tuples, and no field holds text made for display.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Literal, NoReturn

from msgspec import Struct, field

from resflops.errors import InputError, explain_missing
from resflops.storage import SCHEMA_VERSION, Stored

__all__ = [
    "CONSTANT",
    "MODEL_INPUT",
    "PARAMETER",
    "SCHEMA_VERSION",
    "Attribute",
    "Execution",
    "InputRecord",
    "ModuleRecord",
    "OpRecord",
    "Shape",
    "StorageRecord",
    "TensorRecord",
    "TensorSpec",
    "Trace",
    "Weights",
    "Work",
    "add_works",
    "describe_inputs",
    "is_shape",
    "shape",
]

Shape = tuple[int, ...]
"""Sizes per dimension, outermost first; ``()`` is a scalar."""

Attribute = int | float | bool | str | tuple[int, ...] | None
"""What an op's attribute may be: a number, a flag, a word, or one number a dimension."""

Execution = Literal["meta", "real"]
"""How a trace was taken: on shapes alone, or by running every kernel."""

MODEL_INPUT = -1
"""In ``OpRecord.producers``: the tensor came from the caller."""

CONSTANT = -2
"""In ``OpRecord.producers``: a frozen parameter, a buffer or a constant, made by no op."""

PARAMETER = -3
"""In ``OpRecord.producers``, this or less: a trainable parameter, made by no op.

``PARAMETER - n`` is the n-th of the trace's parameters, module by module; a tied one goes
by its first place.
"""


class TensorSpec(Struct, frozen=True):
    """A tensor that a model takes, before there is one."""

    shape: Shape
    dtype: str = ""
    """Its element type, such as ``int64``; ``""`` is the type of the model's own floating-point numbers."""


def shape(*sizes: int, dtype: object = "") -> TensorSpec:
    """Say that a model takes a tensor of some sizes, wherever it takes a tensor.

    A tuple of ints says the same where it cannot be meant as a tuple; beside real tensors, in lists and for
    other element types, this says it.

    >>> shape(1, 77, dtype="int64")
    TensorSpec(shape=(1, 77), dtype='int64')

    Args:
        sizes: of each dimension, outermost first.
        dtype: the element type, as a name or as torch's own object; that of the model's first
            floating-point parameter if not given.

    Raises:
        InputError: a size is no whole number or below one.
    """
    if not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise InputError(
            f"resflops.shape{sizes!r}: every size must be a whole number of at least 1, as in "
            "resflops.shape(1, 3, 224, 224)"
        )
    return TensorSpec(sizes, str(dtype or "").removeprefix("torch."))


def is_shape(item: object) -> bool:
    """Whether an argument may be a shape: a tuple of whole numbers."""
    return (
        isinstance(item, tuple)
        and bool(item)
        and all(isinstance(size, int) and not isinstance(size, bool) for size in item)
    )


# Files of schema 1 keep the names that these fields had when it was made.
_IN_FILES = {"output_indices": "slots", "affine_producers": "affine", "records_gradient": "history"}


class OpRecord(Struct, frozen=True, kw_only=True, gc=False, rename=_IN_FILES):
    """One operator call, as the trace saw it."""

    op: str
    """The field's name of the operator, such as ``conv2d``."""
    layer: str
    """Dotted path of the module whose code called it; ``""`` is the model itself."""
    input_shapes: tuple[Shape, ...]
    """Shapes of the tensors that it took: weights are among them, biases and statistics are not."""
    output_shapes: tuple[Shape, ...]
    """Shapes of the tensors that it gave, the main one first."""
    dtype: str = "float32"
    """Element type of the main output."""
    # Not shared: msgspec gives every instance an empty dict of its own.
    attributes: dict[str, Attribute] = {}
    """What else decides its cost: ``stride``, ``padding``, ``groups``, ``bias``, …"""
    producers: tuple[int, ...] = ()
    """For each input, the index of the op that made it, or MODEL_INPUT, CONSTANT or PARAMETER."""
    output_indices: tuple[int, ...] = ()
    """For each input, its place among the outputs of the op that made it; ``()`` if all are the main ones."""
    affine_producers: tuple[int, ...] = ()
    """The producers of the weight and the bias, in this order, of an op that has them but does not count them
    among its inputs (the attributes ``weight`` and ``bias`` say so)."""
    records_gradient: bool = True
    """Whether autograd would record it, which it does not inside a ``torch.no_grad()`` of the model's own."""
    storages: tuple[int, ...] = ()
    """For each output, the number of the memory that it lies in; ``()`` in older records. Tensors of one
    number share their memory: a view has its base's number, and an op in place that of what it writes into.
    Memory that the pass makes is numbered from 0 on, in order but not without gaps, so the first op with a
    number has made it. The number ``-1 - n`` is the n-th of the trace's ``given_storages``."""

    @property
    def output_shape(self) -> Shape:
        """Shape of the main output; ``()`` if the op gave no tensor."""
        return self.output_shapes[0] if self.output_shapes else ()


class TensorRecord(Struct, frozen=True, kw_only=True, gc=False):
    """A parameter or buffer of one module."""

    name: str
    shape: Shape
    dtype: str = "float32"
    trainable: bool = False
    """``requires_grad``; always false for a buffer."""
    tied_to: str = ""
    """Dotted name of the first place of the same tensor, where it is counted; ``""`` at that place itself."""

    @property
    def elements(self) -> int:
        """The number of its elements."""
        return prod(self.shape)


class ModuleRecord(Struct, frozen=True, kw_only=True, gc=False):
    """One module of the model, with the tensors that are its own."""

    path: str
    """Dotted path; ``""`` is the model itself."""
    cls: str
    """Name of its class; if a class of ``torch.nn`` has the same name, with the Python module in front."""
    base: str = ""
    """Its nearest base class in ``torch.nn``, such as ``Conv2d``; ``""`` for a plain ``Module``."""
    leaf: bool = False
    """Whether it has no modules inside."""
    training: bool = False
    parameters: tuple[TensorRecord, ...] = ()
    buffers: tuple[TensorRecord, ...] = ()


class InputRecord(Struct, frozen=True, kw_only=True, gc=False):
    """One tensor that the caller gave the model."""

    name: str
    """Its place in the call: ``0``, ``1``, … or the keyword, dotted inside containers."""
    shape: Shape
    dtype: str = "float32"


class StorageRecord(Struct, frozen=True, kw_only=True, gc=False):
    """Memory that was there before the pass, and in which an output of some op lies."""

    kind: Literal["input", "parameter", "buffer", "constant"]
    name: str = ""
    """The input's name, or the dotted path of the parameter or buffer; ``""`` for a constant."""


class Work(Struct, frozen=True, kw_only=True, gc=False):
    """What an op does, by kind of work. Only a convention may add the kinds up."""

    macs: int = 0
    """Multiply-accumulates."""
    bias_adds: int = 0
    """Additions of a bias."""
    arithmetic: int = 0
    """Other additions, subtractions, multiplications and divisions."""
    comparisons: int = 0
    """Comparisons: maxima, thresholds, clamps."""
    transcendental: int = 0
    """Exponentials, logarithms, roots, trigonometric and error functions."""

    def kinds(self) -> Iterator[tuple[str, int]]:
        """Iterate over the kinds of work that are not zero, each with its count."""
        for kind in self.__struct_fields__:
            if count := getattr(self, kind):
                yield kind, count

    def times(self, count: int) -> "Work":
        """Multiply the work by a count."""
        return Work(**{kind: count * amount for kind, amount in self.kinds()})


def add_works(works: Iterable[Work]) -> Work:
    """Add works up, kind by kind."""
    totals = dict.fromkeys(Work.__struct_fields__, 0)
    for work in works:
        for kind, count in work.kinds():
            totals[kind] += count
    return Work(**totals)


class Weights(Struct, frozen=True, kw_only=True, gc=False):
    """The weights of one op, without biases."""

    elements: int
    nonzero: int | None
    """How many elements are not zero; None if the weights are computed in a way that is not followed."""


class Trace(Stored, frozen=True, kw_only=True, dict=True, tag="trace"):
    """All ops of one forward pass, in order, and all modules of the model. It holds data and no tensors.

    Two traces are equal if all their fields are.
    """

    model: str
    """The spec that the model was built from, or the name of its class."""
    inputs: tuple[InputRecord, ...]
    modules: tuple[ModuleRecord, ...]
    """Every module of the model, called or not, the model itself first."""
    ops: tuple[OpRecord, ...]
    execution: Execution = "meta"
    notes: tuple[str, ...] = ()
    """What a reader should know of how it was taken, such as why the model had to run for real."""
    stages: dict[str, str] = field(default_factory=dict)
    """Prefix of a module path to the name of its stage, if the model names stages."""
    torch_version: str = ""
    tells_parameters: bool = False
    """Whether ``producers`` distinguish trainable parameters from constants; older records do not."""
    outputs: tuple[int, ...] = ()
    """The ops that made the model's outputs, as far as its containers can be looked into."""
    given_storages: tuple[StorageRecord, ...] = ()
    """What the negative numbers in ``OpRecord.storages`` stand for, beginning with -1."""
    weights: dict[int, Weights] | None = None
    """Index of an op to the elements of its weights; None if they were not asked for."""
    held_until: dict[int, int] | None = None
    """What the model's own variables hold longer than it is used: the number of the memory, as in
    ``OpRecord.storages``, to the last op during which it is held. None if that was not asked for."""
    upper_bound: bool = False
    """Whether the multiply-accumulates of its ops are the most that an input of these shapes can take, as a
    detector's are that finds as much as it keeps; the notes say of what."""

    def __repr__(self) -> str:
        return (
            f"Trace({describe_inputs(self)}: {len(self.ops):,} ops, {len(self.modules):,} modules, "
            f"{self.params:,} parameters)"
        )

    # A type checker must not take it to mean that every attribute is there.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(explain_missing(self, name, _ANSWERS))

    def check(self) -> None:
        """Check that the sizes and the numbers of ops in a trace from a file can be."""
        check_trace(self)

    @property
    def params(self) -> int:
        """The number of parameters, trainable and frozen; tied ones count once."""
        return self.trainable + self.frozen

    @cached_property
    def trainable(self) -> int:
        """The number of parameters that require a gradient; tied ones count once."""
        return sum(tensor.elements for tensor in self._list_own("parameters") if tensor.trainable)

    @cached_property
    def frozen(self) -> int:
        """The number of parameters that require no gradient; tied ones count once."""
        return sum(tensor.elements for tensor in self._list_own("parameters") if not tensor.trainable)

    @cached_property
    def buffers(self) -> int:
        """The number of elements of the buffers, such as BatchNorm's statistics; tied ones count once."""
        return sum(tensor.elements for tensor in self._list_own("buffers"))

    @cached_property
    def module_at(self) -> dict[str, ModuleRecord]:
        """The modules, by path."""
        return {module.path: module for module in self.modules}

    def stage_of(self, layer: str) -> str:
        """Find the stage that a layer belongs to; ``""`` if the model names none for it."""
        # From the whole path up, so that the longest prefix decides.
        while layer:
            if layer in self.stages:
                return self.stages[layer]
            layer = layer.rpartition(".")[0]
        return ""

    def _list_own(self, kind: Literal["parameters", "buffers"]) -> Iterator[TensorRecord]:
        for module in self.modules:
            for tensor in getattr(module, kind):
                if not tensor.tied_to:
                    yield tensor


def describe_inputs(trace: Trace) -> str:
    """Describe which model was traced, and on what: ``resnet34 on 1×3×224×224``."""
    shapes = ", ".join("×".join(map(str, given.shape)) or "a scalar" for given in trace.inputs)
    return f"{trace.model} on {shapes or 'no tensor'}"


_PRICE_IT = "a trace has no cost of its own: resflops.count(trace) gives its cost"
_ANSWERS = dict.fromkeys(("macs", "flops", "total", "layers", "by_op", "by_module", "summary"), _PRICE_IT)

MOST_DIMENSIONS = 64
LARGEST_SIZE = 2**63 - 1
"""The largest number that torch takes for a size, and for the elements of a tensor."""


def check_trace(trace: Trace) -> None:
    """Check that the sizes of a trace can be, and that what it refers to is there.

    Raises:
        ValueError: not so; the message says where.
    """
    for given in trace.inputs:
        _check_shapes(f"input {given.name!r}", (given.shape,))
    parameters = 0
    for module in trace.modules:
        parameters += len(module.parameters)
        for tensor in (*module.parameters, *module.buffers):
            _check_shapes(f"{tensor.name!r} of module {module.path!r}", (tensor.shape,))
    for place, record in enumerate(trace.ops):
        where = f"op {place} ({record.op!r} of layer {record.layer!r})"
        _check_shapes(where, record.input_shapes)
        _check_shapes(where, record.output_shapes)
        _check_attributes(where, record.attributes)
        _check_references(where, place, record, PARAMETER - parameters, trace)
    for op in trace.outputs:
        if not 0 <= op < len(trace.ops):
            raise ValueError(f"an output refers to op {op}, but there are only {len(trace.ops)} ops")
    for op, weights in (trace.weights or {}).items():
        if not 0 <= op < len(trace.ops) or not 0 <= (weights.nonzero or 0) <= weights.elements:
            raise ValueError(
                f"the weights of op {op} are impossible: {weights.nonzero} non-zero of {weights.elements}"
            )


def _check_shapes(where: str, shapes: tuple[Shape, ...]) -> None:
    for sizes in shapes:
        if len(sizes) > MOST_DIMENSIONS or (sizes and min(sizes) < 0) or prod(sizes) > LARGEST_SIZE:
            raise ValueError(f"{where} has the shape {sizes}, which is impossible for a tensor")


def _check_attributes(where: str, attributes: dict[str, Attribute]) -> None:
    for name, value in attributes.items():
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int) and abs(number) > LARGEST_SIZE + 1:
                raise ValueError(f"{where} has the attribute {name!r} with the number {number}")


def _check_references(where: str, place: int, record: OpRecord, least: int, trace: Trace) -> None:
    """Check that an op takes what others before it have made."""
    for producer in (*record.producers, *record.affine_producers):
        # Below PARAMETER, one number for each of the trace's parameters.
        if not least < producer < place:
            raise ValueError(f"{where} takes the result of op {producer}, which does not come before it")
    for name, numbers, of in (
        ("producers", record.producers, record.input_shapes),
        ("slots", record.output_indices, record.producers),
        ("storages", record.storages, record.output_shapes),
    ):
        if numbers and len(numbers) != len(of):
            raise ValueError(f"{where} has {len(numbers)} {name} instead of {len(of)}")
    if record.storages and min(record.storages) < -len(trace.given_storages):
        raise ValueError(f"{where} refers to the given memory {min(record.storages)}, which does not exist")
    if record.output_indices and min(record.output_indices) < 0:
        raise ValueError(f"{where} takes the output number {min(record.output_indices)} of an op")
