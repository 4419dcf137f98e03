"""The types and values of a node's outputs, by onnx's own shape inference and reference implementation."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from resflops.sources.onnx_files.contributed import infer_contributed
from resflops.sources.onnx_files.tensors import MOST_VALUES, GraphTensor, find_type, read_type

if TYPE_CHECKING:
    import numpy as np
    from onnx import NodeProto, OperatorSetIdProto, TypeProto
    from onnx.defs import OpSchema

__all__ = ["ONNX", "Mistyped", "evaluate", "infer_outputs", "read_opsets"]

ONNX = ("", "ai.onnx")
"""The two names of ONNX's own domain."""

LEARNING = "ai.onnx.ml"
"""The domain of classical machine learning, whose schemas mostly infer nothing."""

MOST_DATA = 1 << 12
"""How many values shape inference is told: those that give shapes are few."""

COUNTED = frozenset(("Compress", "NonZero", "StringSplit", "Unique"))
"""Operators whose result has as many elements as values decide, and no more than their input."""

LIKE_INPUT = frozenset(("GroupNormalization", "MeanVarianceNormalization"))
"""Operators of which onnx infers nothing: their output is like their first input."""

UNSUPPORTED = "has unsupported type"
"""What onnx says of a type that a version of an operator does not allow."""

RANDOM = frozenset(("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli",
                    "Multinomial"))  # fmt: skip


_CONTRIBUTED = {"": 17}
"""The opset of the operators of ONNX's own by which others are told, whatever the file has."""


class Mistyped(Exception):  # noqa: N818 - the walk turns it into an error with the node's name
    """The shapes or types of a node's inputs do not go together; the message is onnx's own."""


def read_opsets(imports: "Iterable[OperatorSetIdProto]") -> dict[str, int]:
    """Read the opset of each domain."""
    return {"" if each.domain in ONNX else each.domain: each.version for each in imports}


def infer_outputs(
    node: "NodeProto", inputs: Sequence[GraphTensor | None], opsets: Mapping[str, int], version: int
) -> dict[str, GraphTensor]:
    """Infer the types of a node's outputs; one that nothing is known of is left out.

    Args:
        node: the node, without graphs in its attributes.
        inputs: its inputs.
        opsets: the opset of each domain.
        version: that of the file's format.

    Raises:
        Mistyped: the shapes of its inputs do not go together.
    """
    from onnx import defs

    domain = "" if node.domain in ONNX else node.domain
    infer_standard = partial(infer_outputs, opsets=_CONTRIBUTED, version=version)
    if domain == LEARNING:
        return infer_contributed(node, inputs, infer_standard)
    try:
        schemas = _list_schemas(node.op_type, opsets.get(domain, 1), domain)
    except defs.SchemaError:
        return infer_contributed(node, inputs, infer_standard)
    types = {}
    for name, tensor in zip(node.input, inputs, strict=True):
        if tensor is not None:
            if (type_ := find_type(tensor)) is None:
                return {}
            types[name] = type_
    found = _ask(schemas, _spell_out(node), inputs, types, opsets, version)
    return _complete(node, inputs, {name: read_type(name, type_) for name, type_ in found.items()})


# A node of each of a few operators comes again and again.
@lru_cache(maxsize=1 << 10)
def _list_schemas(operator: str, opset: int, domain: str) -> "tuple[OpSchema, ...]":
    """List the versions of an operator by which to infer: its own, if that does infer, and the newest."""
    from onnx import defs

    own = defs.get_schema(operator, opset, domain)
    if domain:
        return (own,)
    newest = defs.get_schema(operator)
    return (own, newest) if own.has_type_and_shape_inference_function else (newest,)


def _spell_out(node: "NodeProto") -> "NodeProto":
    """Write out an attribute whose default onnx's inference takes for another: a half of STFT's spectrum."""
    from onnx import NodeProto, helper

    if node.op_type != "STFT" or any(each.name == "onesided" for each in node.attribute):
        return node
    spelled = NodeProto()
    spelled.CopyFrom(node)
    spelled.attribute.append(helper.make_attribute("onesided", 1))
    return spelled


def _ask(
    schemas: "Sequence[OpSchema]",
    node: "NodeProto",
    inputs: Sequence[GraphTensor | None],
    types: "Mapping[str, TypeProto]",
    opsets: Mapping[str, int],
    version: int,
) -> "Mapping[str, TypeProto]":
    """Ask onnx by the first of several versions of an operator that allows the types of the inputs.

    Runtimes take types that only later versions allow, such as floats in an Equal of opset 7, and exporters
    write them.
    """
    import onnx
    from onnx import helper, numpy_helper
    from onnx.checker import ValidationError
    from onnx.shape_inference import InferenceError, infer_node_outputs

    data = {
        name: numpy_helper.from_array(tensor.value, name)
        for name, tensor in zip(node.input, inputs, strict=True)
        if tensor is not None and tensor.value is not None and tensor.value.size <= MOST_DATA
    }
    imports = [helper.make_opsetid(each, number) for each, number in opsets.items()]
    schema, *later = schemas
    try:
        found: Mapping[str, TypeProto] = infer_node_outputs(
            schema, node, dict(types), data, None, imports, min(version, onnx.IR_VERSION)
        )
    except (InferenceError, ValidationError) as error:
        if later and UNSUPPORTED in str(error):
            return _ask(later, node, inputs, types, opsets, version)
        raise Mistyped(str(error).strip().partition("] ")[2] or str(error).strip()) from None
    # What one version of a schema asks of others is no concern of the file's.
    except (RuntimeError, KeyError, TypeError, ValueError):
        return {}
    return found


def _complete(
    node: "NodeProto", inputs: Sequence[GraphTensor | None], found: dict[str, GraphTensor]
) -> dict[str, GraphTensor]:
    """Add what onnx's own inference leaves out."""
    first, name = inputs[0] if inputs else None, node.output[0]
    if first is None or node.domain not in ONNX:
        return found
    if node.op_type in LIKE_INPUT:
        return {**found, name: read_type(name, find_type(first))}
    if node.op_type == "MaxUnpool" and len(inputs) > 2 and (asked := inputs[2]) and asked.value is not None:
        sizes = tuple(asked.value.tolist())
        return {**found, name: GraphTensor(name=name, dtype=first.dtype, sizes=sizes)}
    return found


def evaluate(
    node: "NodeProto",
    inputs: Sequence[GraphTensor | None],
    outputs: Sequence[GraphTensor],
    opsets: Mapping[str, int],
) -> "list[np.ndarray[Any, Any] | None]":
    """Evaluate a node whose inputs all have known values; None for an output not known."""
    import numpy as np
    from onnx.reference import ReferenceEvaluator

    nothing: list[np.ndarray[Any, Any] | None] = [None] * len(outputs)
    present = [tensor for tensor in inputs if tensor is not None]
    if (
        node.op_type in RANDOM
        or any(tensor.value is None for tensor in present)
        or any(tensor.numel() > MOST_VALUES for tensor in outputs if tensor.is_known)
        or not (node.op_type in COUNTED or all(tensor.is_known for tensor in outputs))
    ):
        return nothing
    values = {
        name: tensor.value for name, tensor in zip(node.input, inputs, strict=True) if tensor is not None
    }
    try:
        found = ReferenceEvaluator(node, opsets=dict(opsets)).run(None, values)
    # It is Python of onnx's own, which may raise anything; then the value is not known.
    except Exception:  # noqa: BLE001
        return nothing
    # A sequence comes as a list.
    return [each if isinstance(each, np.ndarray) and each.size <= MOST_VALUES else None for each in found]
