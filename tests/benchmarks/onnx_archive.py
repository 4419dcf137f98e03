"""Archives of ONNX graphs without their weights, as the tests have them."""

import zipfile
from math import prod
from pathlib import Path

from onnx import AttributeProto, GraphProto, ModelProto, TensorProto

KEPT = ("pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy", "pkg.onnxscript.rewriter.rule_name")
ELEMENTS = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
WEIGHTS = (TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32)
MOST = 8
"""How many elements a weight may have that is kept: scales that give shapes are few."""


def strip(model: ModelProto) -> bytes:
    """Drop weights, and what exporters note that no reader of a graph needs, and serialise the rest."""
    _strip_graph(model.graph)
    del model.metadata_props[:]
    made: bytes = model.SerializeToString(deterministic=True)
    return made


def _strip_graph(graph: GraphProto) -> None:
    del graph.value_info[:]
    for tensor in graph.initializer:
        _strip_tensor(tensor)
    for node in graph.node:
        kept = [entry for entry in node.metadata_props if entry.key in KEPT]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.ClearField("doc_string")
        for attribute in node.attribute:
            _strip_attribute(attribute)


def _strip_attribute(attribute: AttributeProto) -> None:
    """Drop the weights in an attribute, and in the graphs that it holds."""
    if attribute.HasField("t"):
        _strip_tensor(attribute.t)
    if attribute.HasField("g"):
        _strip_graph(attribute.g)


def _strip_tensor(tensor: TensorProto) -> None:
    """Drop the elements of a weight: of numbers that give shapes none."""
    if tensor.data_type in WEIGHTS and prod(tensor.dims) > MOST:
        for field in ELEMENTS:
            tensor.ClearField(field)


def read(path: Path) -> dict[str, bytes]:
    """Read the graphs of an archive by name; none if there is no archive yet."""
    if not path.exists():
        return {}
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, stored: dict[str, bytes]) -> None:
    """Write an archive, the same bytes for the same graphs."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(stored):
            archive.writestr(zipfile.ZipInfo(name), stored[name], zipfile.ZIP_DEFLATED, 9)
