"""How the operators of ONNX are bound to the op declarations."""

from collections.abc import Callable, Generator, Mapping
from typing import Any

from msgspec import Struct

from resflops.errors import DuplicateError
from resflops.ops import Call, Mismatch
from resflops.records import Attribute
from resflops.sources.onnx_files.tensors import GraphTensor

__all__ = ["OPERATORS", "OperatorCall", "Read", "Steps", "bind", "operator"]


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
        taken = tuple([each for each in self.inputs if each is not None]) if inputs is None else inputs
        shape = self.outputs[0].shape if self.outputs else ()
        return Call(op, taken, shape, dict(attributes or {}), affine=affine)


Steps = Generator[Call, GraphTensor, Call]
"""The ops that a node is, where these are several: it yields the calls before the last, is sent the result of
each, and returns the last, which gives the node's outputs."""

Read = Callable[[OperatorCall], Call | Steps | None]
"""Says which op a node is. None stands for a use of the operator that no declaration covers: it is listed as
uncounted. It raises ``Mismatch`` if the shapes do not go together."""

OPERATORS: dict[str, str | Read] = {}
"""The operators by name, those of other domains with the domain in front: each by the op that it is, if
nothing decides the cost but the shapes of all inputs and outputs, or by what reads a node of it."""


def operator(*names: str) -> Callable[[Read], Read]:
    """Bind operators to the function that reads a node of them."""

    def register(read: Read) -> Read:
        bind(dict.fromkeys(names, read))
        return read

    return register


def bind(operators: Mapping[str, str | Read]) -> None:
    """Bind operators, each to the name of an op or to a function that reads a node.

    Raises:
        DuplicateError: an operator is bound already.
    """
    for name, bound in operators.items():
        if name in OPERATORS:
            raise DuplicateError(f"the operator {name} is bound twice; bind each once")
        OPERATORS[name] = bound
