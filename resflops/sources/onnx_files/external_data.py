"""The files beside an ONNX file that its weights lie in."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from resflops.errors import ModelError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

__all__ = ["list_weight_files"]


def list_weight_files(model: "ModelProto", folder: Path | None, name: str) -> tuple[Path, ...]:
    """List the files that elements of a graph's tensors lie in, each once; none if all are in the graph.

    Args:
        model: the graph.
        folder: the folder of its file; None if it was given without one.
        name: what the user calls it.

    Raises:
        ModelError: one of them is not there, or nobody knows where it is.
    """
    locations = tuple(dict.fromkeys(_list_locations(model.graph)))
    if locations and folder is None:
        raise ModelError(
            f"{name} was loaded without its weights, which are in {locations[0]!r}; give the path of its "
            "file, or load it with its weights"
        )
    files = tuple([Path(folder or "", location) for location in locations])
    missing = [location for location, file in zip(locations, files, strict=True) if not file.is_file()]
    if missing:
        raise ModelError(
            f"{name!r} has its weights in {missing[0]!r}, and there is no such file beside it; "
            "put it there, or export the model again"
        )
    return files


def _list_locations(graph: "GraphProto") -> Iterator[str]:
    from onnx import TensorProto

    for tensor in _list_tensors(graph):
        if tensor.data_location == TensorProto.EXTERNAL:
            yield from (entry.value for entry in tensor.external_data if entry.key == "location")


def _list_tensors(graph: "GraphProto") -> "Iterator[TensorProto]":
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from _list_tensors(inner)
