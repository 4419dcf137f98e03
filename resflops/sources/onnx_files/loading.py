"""Reading an ONNX file: the graph without its weights, and one message for what is no such file."""

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from resflops.errors import FileError, ModelError
from resflops.sources.onnx_files.skimming import MalformedFileError, skim

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

__all__ = ["LARGEST_FILE", "drop_weights", "list_tensors", "load_graph", "require_onnx"]

LARGEST_FILE = 2**31 - 1
"""The largest message of protobuf, in which an ONNX file is written, in bytes."""

MOST_KEPT = 1 << 12
"""How many elements an initialiser may have that is kept: those that give shapes are small."""


def require_onnx(name: str) -> None:
    """Check that the package onnx is there.

    Raises:
        ModelError: it is not, or does not work.
    """
    try:
        import onnx.shape_inference  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"{name!r} is an ONNX graph, which the package onnx reads; "
            f"install it by: pip install 'resflops[onnx]' ({error})"
        ) from None


def load_graph(path: Path, name: str, *, whole: bool = False) -> "ModelProto":
    """Load the graph of a file, without what lies beside the file.

    Args:
        path: the file.
        name: what the user calls it.
        whole: whether to keep the elements of its weights.

    Raises:
        ModelError: the package onnx is missing, or the file is no ONNX graph, cut off, or too large.
    """
    require_onnx(name)
    try:
        state = path.stat()
    except OSError as error:
        raise FileError(f"{name!r} cannot be read: {error.strerror}") from None
    if state.st_size > LARGEST_FILE:
        raise ModelError(
            f"{name!r} has {state.st_size:,} bytes, and no ONNX file has more than 2 GiB: write it again "
            "with its weights in a file beside it (external data), which is not read"
        )
    if not state.st_size:
        raise ModelError(f"{name!r} is empty; export the model again")
    if whole:
        return _parse(_read(path, name), name)
    return _load(path, name, state.st_mtime_ns, state.st_size)


# A command looks at a file more than once: for its inputs, and for its graph.
@lru_cache(maxsize=4)
def _load(path: Path, name: str, changed: int, size: int) -> "ModelProto":
    del changed
    try:
        with path.open("rb") as file:
            data = skim(file, size)
    except (OSError, MalformedFileError):
        # What is wrong with it is for protobuf to say.
        data = _read(path, name)
    model = _parse(data, name)
    drop_weights(model)
    return model


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{name!r} cannot be read: {error.strerror}") from None


def _parse(data: bytes, name: str) -> "ModelProto":
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        raise ModelError(
            f"{name!r} is not an ONNX graph, or is cut off: protobuf cannot read it; export the model again"
        ) from None
    # What is cut off behind the graph, or is a message of another kind, may still be read.
    if not model.HasField("graph") or not model.opset_import:
        raise ModelError(
            f"{name!r} is not an ONNX model, or is cut off: it has no graph, or no version of its operators; "
            "export the model again"
        )
    return model


def drop_weights(model: "ModelProto") -> None:
    """Drop the elements of all initialisers that are too large to give a shape; types and sizes stay."""
    for tensor in list_tensors(model.graph):
        if prod(tensor.dims) > MOST_KEPT:
            _clear(tensor)


def list_tensors(graph: "GraphProto") -> "Iterator[TensorProto]":
    """List the initialisers of a graph and the tensors in its nodes, with those of the graphs in it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from list_tensors(attribute.g)
            for inner in attribute.graphs:
                yield from list_tensors(inner)


def _clear(tensor: "TensorProto") -> None:
    for field in (
        "raw_data",
        "float_data",
        "int32_data",
        "int64_data",
        "double_data",
        "uint64_data",
        "string_data",
    ):
        tensor.ClearField(field)
