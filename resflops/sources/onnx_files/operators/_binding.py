"""How the operators of ONNX are bound to the op declarations."""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from resflops.errors import DuplicateError
from resflops.ops import OPS, Call, Mismatch, is_free
from resflops.records import Attribute
from resflops.sources.onnx_files.tensors import GraphTensor

__all__ = ["OPERATORS", "Bound", "OperatorCall", "Part", "Read", "Steps", "bind", "operator"]

OF_UNKNOWN_SIZE = "copy of unknown size"
"""The op that stands for one that is free whatever its sizes, but whose gradient is not."""


class OperatorCall(Struct, kw_only=True):
    """A node and what is known of its tensors: every size of those that decide its cost."""

    op_type: str
    """``Conv``; with the domain in front if that is not ONNX's own, as in ``com.microsoft.Gelu``."""
    version: int
    """The opset of its domain."""
    inputs: tuple[GraphTensor | None, ...]
    """Its inputs; None for an optional one that is left out."""
    outputs: tuple[GraphTensor, ...]
    """Its outputs, as far as they have a name."""
    attributes: dict[str, Any]
    """Its attributes as Python values: numbers, texts, lists; tensors as arrays."""

    def input(self, place: int) -> GraphTensor | None:
        """Give an input; None if it is left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    def list_inputs(self) -> tuple[GraphTensor, ...]:
        """List the inputs that are not left out."""
        return tuple([each for each in self.inputs if each is not None])

    def require(self, place: int) -> GraphTensor:
        """Give an input that the operator cannot do without.

        Raises:
            Mismatch: it is left out.
        """
        if (tensor := self.input(place)) is None:
            raise Mismatch(f"lacks its input {place}")
        return tensor

    def call(
        self,
        op: str,
        inputs: tuple[GraphTensor, ...] | None = None,
        attributes: Mapping[str, Attribute] | None = None,
        affine: tuple[GraphTensor | None, ...] = (),
    ) -> Call:
        """Make the call of an op that gives this node's outputs.

        Args:
            op: the name of the op.
            inputs: the tensors whose shapes decide its cost; all inputs if not given.
            attributes: what else decides it, as the op's declaration names it.
            affine: the weight and the bias that are not among the inputs.
        """
        taken = self.list_inputs() if inputs is None else inputs
        shape = self.outputs[0].shape if self.outputs else ()
        return Call(op, taken, shape, dict(attributes or {}), affine=affine)


Steps = Generator[Call, GraphTensor, Call]
"""The ops that a node is, where these are several: it yields the calls before the last, is sent the result of
each, and returns the last, which gives the node's outputs."""

Part = Generator[Call, GraphTensor, GraphTensor]
"""Some of the ops of a node, and the tensor that they come to."""

Read = Callable[[OperatorCall], Call | Steps | None]
"""Says which op a node is. None stands for a use of the operator that no declaration covers: it is listed as
uncounted. It raises ``Mismatch`` if the shapes do not go together."""


class Bound(Struct, frozen=True, kw_only=True):
    """What an operator is."""

    read: Read
    free: str = ""
    """The op that a node is whose sizes are not known, if it costs nothing whatever they are."""
    by_inputs: bool = False
    """Whether the shapes of its inputs alone decide its cost."""

    def is_told_by(self, taken: Sequence[GraphTensor], made: Sequence[GraphTensor]) -> bool:
        """Whether enough sizes are known to read a node."""
        # No cost depends on the shapes of further outputs, which onnx does not always tell.
        known = taken if self.by_inputs else (*taken, *made[:1])
        return all(each.is_known for each in known)


OPERATORS: dict[str, Bound] = {}
"""The operators by name, those of other domains with the domain in front."""


def operator(*names: str, free: str = "", by_inputs: bool = False) -> Callable[[Read], Read]:
    """Bind operators to the function that reads a node of them.

    Args:
        names: the operators.
        free: the op that a node is, if that is free, so that it may have sizes that are not known.
        by_inputs: whether the shapes of the inputs alone decide the cost.
    """

    def register(read: Read) -> Read:
        for name in names:
            _add(name, Bound(read=read, free=_name_free(free), by_inputs=by_inputs))
        return read

    return register


def bind(operators: Mapping[str, str | Read], *, inputs: int | None = None) -> None:
    """Bind operators, each to the name of an op or to a function that reads a node.

    Args:
        operators: the operators, those by name being ops whose cost the shapes alone decide.
        inputs: how many of the first inputs are those of the op; all if not given.

    Raises:
        DuplicateError: an operator is bound already.
    """
    for name, bound in operators.items():
        if isinstance(bound, str):
            _add(name, Bound(read=_make_reader(bound, inputs), free=_name_free(bound)))
        else:
            _add(name, Bound(read=bound))


def _make_reader(op: str, inputs: int | None) -> Read:
    def read(node: OperatorCall) -> Call:
        taken = node.inputs[:inputs]
        return node.call(op, tuple([each for each in taken if each is not None]))

    return read


def _name_free(op: str) -> str:
    """Name the op that a node without known sizes is; none if the op costs anything."""
    if not is_free(op):
        return ""
    gradient = OPS[op].gradient
    return op if gradient is not None and gradient.work is None else OF_UNKNOWN_SIZE


def _add(name: str, bound: Bound) -> None:
    if name in OPERATORS:
        raise DuplicateError(f"the operator {name} is bound twice; bind each once")
    OPERATORS[name] = bound
