"""How the outputs of operators without a schema are told from their inputs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from resflops.sources.onnx_files.attributes import read_attributes
from resflops.sources.onnx_files.tensors import GraphTensor

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = ["Given", "Infer", "Output", "Rule", "Sizes", "Unknown", "infer_contributed", "outputs"]

MICROSOFT = "com.microsoft"

Sizes = tuple[int | None, ...]
Infer = Callable[["NodeProto", Sequence[GraphTensor | None]], Mapping[str, GraphTensor]]
"""Infers the outputs of a node of ONNX's own domain."""


class Unknown(Exception):  # noqa: N818 - a signal to the one who asks for the outputs
    """What a node gives does not follow from what is known of what it takes."""


class Given(Struct, frozen=True):
    """What is known of a node."""

    inputs: Sequence[GraphTensor | None]
    attributes: Mapping[str, Any]
    infer: Infer

    def has(self, place: int) -> bool:
        """Tell whether an input is not left out."""
        return place < len(self.inputs) and self.inputs[place] is not None

    def get(self, place: int) -> GraphTensor:
        """Give an input.

        Raises:
            Unknown: it is left out.
        """
        tensor = self.inputs[place] if place < len(self.inputs) else None
        if tensor is None:
            raise Unknown
        return tensor

    def sizes(self, place: int) -> Sizes:
        """Give the sizes of an input.

        Raises:
            Unknown: not even their number is known.
        """
        if (sizes := self.get(place).sizes) is None:
            raise Unknown
        return sizes

    def number(self, name: str, default: int = 0) -> int:
        """Give an attribute that is a whole number."""
        return int(self.attributes.get(name, default))


Output = tuple[GraphTensor, Sizes | None]
"""A tensor whose element type the output has, and the sizes of the output."""
Rule = Callable[[Given], Iterable[Output]]

RULES: dict[str, Rule] = {}
"""The rules by operator, with its domain in front."""


def outputs(*operators: str, domain: str = MICROSOFT) -> Callable[[Rule], Rule]:
    """Declare what operators give: their outputs one by one, or the first of them."""

    def register(rule: Rule) -> Rule:
        RULES.update((f"{domain}.{operator}", rule) for operator in operators)
        return rule

    return register


def infer_contributed(
    node: "NodeProto", inputs: Sequence[GraphTensor | None], infer: Infer
) -> dict[str, GraphTensor]:
    """Infer the types of a node's outputs; one that nothing is known of is left out.

    Args:
        node: the node, of an operator that onnx has no schema of.
        inputs: its inputs.
        infer: infers a node of ONNX's own domain.
    """
    rule = RULES.get(f"{node.domain}.{node.op_type}")
    if rule is None:
        return {}
    try:
        found = list(rule(Given(inputs, read_attributes(node), infer)))
    # A rule takes sizes apart, of which a damaged file may have too few.
    except (Unknown, IndexError, KeyError, ValueError, TypeError, ZeroDivisionError):
        return {}
    return {
        name: GraphTensor(name=name, dtype=like.dtype, sizes=sizes)
        for name, (like, sizes) in zip(node.output, found, strict=False)
        if name
    }
