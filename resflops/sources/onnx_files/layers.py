"""Which layer a node belongs to: by the scopes that its exporter noted, or by its name."""

import re
from ast import literal_eval
from typing import TYPE_CHECKING

from msgspec import Struct

from resflops.sources.onnx_files.folding import FOLDED, MERGED, RULES

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = ["Layer", "find_layer", "has_scopes", "is_scoped"]


class Layer(Struct, frozen=True):
    """The layer that a node belongs to."""

    path: str
    """Dotted; ``""`` is the model itself."""
    classes: tuple[tuple[str, str], ...] = ()
    """The paths of the modules that it is in, outermost first, with the class of each, where known."""


SCOPES, CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
"""What torch's newer exporter writes to a node: lists, as Python writes them, whose last is the op itself."""

WEIGHT = ".weight"
"""How the name of a layer's weight ends."""

PRODUCTS = {
    "Conv": (1, 2), "ConvInteger": (1,), "ConvTranspose": (1, 2), "FusedConv": (1, 2), "FusedGemm": (1, 2),
    "Gemm": (1, 2), "MatMul": (1,), "MatMulInteger": (1,), "QGemm": (3, 6), "QLinearConv": (3, 8),
    "QLinearMatMul": (3,),
}  # fmt: skip
"""Which inputs of an operator are a weight and a bias."""

OWNED = re.compile(r"(.+)\.weight(_quantized|_DequantizeLinear_Output)?")
"""A weight with the path of its layer, and what onnxruntime's quantiser adds to that."""

JOINED = ";"
"""What stands between the names of the ops that TensorFlow Lite made one of."""

WRAPPERS = frozenset(("StatefulPartitionedCall", "PartitionedCall"))
"""Scopes that TensorFlow adds around a model."""

QUANTISED = re.compile(r"_quant(_scales_mul|_output_scale_mul)?$")
"""What onnxruntime's quantiser adds to the name of a node, and to that of the scaling after it."""


def find_layer(node: "NodeProto", number: int) -> Layer:
    """Find the layer of a node.

    Args:
        node: the node.
        number: how many nodes come before it, for one without a name.
    """
    noted = {entry.key: entry.value for entry in node.metadata_props}
    if (paths := _read_list(noted.get(SCOPES, ""))) is not None:
        classes = _read_list(noted.get(CLASSES, "")) or []
        if FOLDED in noted.get(RULES, "") and len(node.input) > 1 and node.input[1].endswith(WEIGHT):
            # A convolution into which a normalisation was folded has the scopes of the normalisation.
            return Layer(node.input[1].removesuffix(WEIGHT), tuple(zip(paths[:-2], classes, strict=False)))
        return Layer(paths[-2] if len(paths) > 1 else "", tuple(zip(paths[:-1], classes, strict=False)))
    if (path := _find_weight_layer(node)) is not None:
        return Layer(path)
    if "/" in node.name:
        return Layer(_read_scopes(node.name))
    return Layer(QUANTISED.sub("", node.name) or f"{node.op_type}_{number}")


def _find_weight_layer(node: "NodeProto") -> str | None:
    """Find the layer of a product by its weight or its bias, if its own name does not tell.

    It has none, or that of a normalisation that tf2onnx folded into it, or from TensorFlow Lite those of all
    ops that became one.
    """
    places = PRODUCTS.get(node.op_type, ())
    parameters = [node.input[place] for place in places if place < len(node.input)]
    if not parameters or ("/" in node.name and JOINED not in node.name and MERGED not in parameters[0]):
        return None
    for name in parameters:
        if "/" in name:
            return _read_scopes(name)
        if match := OWNED.fullmatch(name):
            return match[1]
    return None


def is_scoped(node: "NodeProto") -> bool:
    """Tell whether a node says which scopes it is in."""
    return "/" in node.name or has_scopes(node)


def has_scopes(node: "NodeProto") -> bool:
    """Tell whether the exporter noted the scopes of a node beside its name."""
    return any(entry.key == SCOPES for entry in node.metadata_props)


def _read_list(text: str) -> list[str] | None:
    try:
        found = literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(each, str) for each in found) else None


def _read_scopes(name: str) -> str:
    """Read the scopes in a name: ``layer1.0.conv1`` from ``/layer1/layer1.0/conv1/Conv_2``.

    Torch's older exporter repeats the name of a sequence in those of its members; TensorFlow numbers nodes
    and calls of functions, after two underlines. Of several names the first counts.
    """
    path: list[str] = []
    last = ""
    for scope in name.split(JOINED, maxsplit=1)[0].split("/")[:-1]:
        if not scope or re.sub(r"(__|_)\d+$", "", scope) in WRAPPERS:
            continue
        path.append(scope.removeprefix(f"{last}."))
        last = scope
    return ".".join(path)
