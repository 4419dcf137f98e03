"""The values that flow between the stages: plain, frozen, torch-free data.

They are ``msgspec`` structs rather than frozen dataclasses because a trace makes
hundreds of them and a frozen dataclass takes some twenty times as long to make; they compare,
hash and go to JSON in the same way. They hold no cycles, so those that come by the
hundred are kept from the garbage collector (``gc=False``). A number here is a number: counts are ``int``,
sizes are elements, shapes are tuples, and no field holds text made for display.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from math import prod
from typing import Literal

from msgspec import Struct, field

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
    "TensorRecord",
    "Trace",
    "Weights",
    "Work",
    "add_works",
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


# What the fields were called when files of schema 1 were first written, and are called there still.
_IN_FILES = {"output_indices": "slots", "affine_producers": "affine", "records_gradient": "history"}


class OpRecord(Struct, frozen=True, kw_only=True, gc=False, rename=_IN_FILES):
    """One operator call, as the trace saw it."""

    op: str
    """The field's name of the operator, such as ``conv2d``."""
    layer: str
    """Dotted path of the module whose code called it; ``""`` is the model itself."""
    input_shapes: tuple[Shape, ...]
    """Shapes of the tensors it took, weights included, biases and statistics not."""
    output_shapes: tuple[Shape, ...]
    """Shapes of the tensors it gave, the main one first."""
    dtype: str = "float32"
    """Element type of the main output."""
    attributes: dict[str, Attribute] = {}
    """What else decides its cost: ``stride``, ``padding``, ``groups``, ``bias``, …"""
    producers: tuple[int, ...] = ()
    """For each input, the index of the op that made it, or MODEL_INPUT, CONSTANT or PARAMETER."""
    output_indices: tuple[int, ...] = ()
    """For each input, which output of its op it is; ``()`` where all are the main ones."""
    affine_producers: tuple[int, ...] = ()
    """Where the weight and the bias come from that are not among its inputs: those of the
    attributes ``weight`` and ``bias`` that it has, in this order, numbered as ``producers``."""
    records_gradient: bool = True
    """Whether autograd would record it; not inside a ``torch.no_grad()`` of the model's own."""

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
    """Dotted name under which the same tensor was met first; ``""`` where it counts."""

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


class ModuleRecord(Struct, frozen=True, kw_only=True, gc=False):
    """One module of the model, with the tensors that are its own."""

    path: str
    """Dotted path; ``""`` is the model itself."""
    cls: str
    """Name of its class, with its module in front where it is called as a class of ``torch.nn`` is."""
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
        """The kinds of work that are not zero, each with its count."""
        for kind in self.__struct_fields__:
            if count := getattr(self, kind):
                yield kind, count

    def times(self, count: int) -> "Work":
        """The work of doing it so often."""
        return Work(**{kind: count * each for kind, each in self.kinds()})


def add_works(works: Iterable[Work]) -> Work:
    """Work added kind by kind."""
    totals = dict.fromkeys(Work.__struct_fields__, 0)
    for work in works:
        for kind, count in work.kinds():
            totals[kind] += count
    return Work(**totals)


class Weights(Struct, frozen=True, kw_only=True, gc=False):
    """The weights that one op was given, biases not among them."""

    elements: int
    nonzero: int | None
    """How many of them are not zero; None where they are computed in a way that is not followed."""


class Trace(Stored, frozen=True, kw_only=True, dict=True, tag="trace"):
    """All ops of one forward pass, in order, with the modules that ran: data, no tensors.

    Two traces are equal when every op, module and input is.
    """

    model: str
    """The spec that the model was built from, or the name of its class."""
    inputs: tuple[InputRecord, ...]
    modules: tuple[ModuleRecord, ...]
    """Every module of the model, called or not, the model itself first."""
    ops: tuple[OpRecord, ...]
    execution: Execution = "meta"
    notes: tuple[str, ...] = ()
    """What a reader should know of how it was taken, such as why it had to run for real."""
    stages: dict[str, str] = field(default_factory=dict)
    """Module path prefix to the name of the stage it belongs to, where the model names stages."""
    torch_version: str = ""
    tells_parameters: bool = False
    """Whether ``producers`` tell trainable parameters from constants; older records do not."""
    outputs: tuple[int, ...] = ()
    """The ops that made what the model gave back, as far as its containers could be looked into."""
    weights: dict[int, Weights] | None = None
    """Place of an op -> the zeros in its weights; None where they were not asked for."""

    @property
    def params(self) -> int:
        """Parameters, trainable and frozen; tied ones once."""
        return self.trainable + self.frozen

    @cached_property
    def trainable(self) -> int:
        """Parameters that require a gradient; tied ones once."""
        return sum(tensor.elements for tensor in self._list_own("parameters") if tensor.trainable)

    @cached_property
    def frozen(self) -> int:
        """Parameters that require no gradient; tied ones once."""
        return sum(tensor.elements for tensor in self._list_own("parameters") if not tensor.trainable)

    @cached_property
    def buffers(self) -> int:
        """Elements of the buffers, such as BatchNorm's running statistics; tied ones once."""
        return sum(tensor.elements for tensor in self._list_own("buffers"))

    @cached_property
    def module_at(self) -> dict[str, ModuleRecord]:
        """The modules by their paths."""
        return {module.path: module for module in self.modules}

    def stage_of(self, layer: str) -> str:
        """The stage that a layer belongs to; ``""`` where the model names none for it."""
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
