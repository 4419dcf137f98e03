"""The files beside an ONNX file that its weights lie in."""

from pathlib import Path
from typing import TYPE_CHECKING

from resflops.errors import ModelError
from resflops.sources.onnx_files.loading import list_tensors

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["list_locations", "list_weight_files"]


def list_locations(model: "ModelProto") -> tuple[str, ...]:
    """List the files that elements of a graph's tensors lie in, each once, relative to that of the graph."""
    from onnx import TensorProto

    return tuple(
        dict.fromkeys(
            entry.value
            for tensor in list_tensors(model.graph)
            if tensor.data_location == TensorProto.EXTERNAL
            for entry in tensor.external_data
            if entry.key == "location"
        )
    )


def list_weight_files(model: "ModelProto", folder: Path | None, name: str) -> tuple[Path, ...]:
    """List the files beside a graph that have its weights; none if all are in the graph.

    Args:
        model: the graph.
        folder: the folder of its file; None if it was given without one.
        name: what the user calls it.

    Raises:
        ModelError: one of them is not there, or nobody knows where it is.
    """
    locations = list_locations(model)
    if not locations:
        return ()
    if folder is None:
        raise ModelError(
            f"{name} was loaded without its weights, which are in {locations[0]!r}; give the path of its "
            "file, or load it with its weights"
        )
    for location in locations:
        if not (folder / location).is_file():
            raise ModelError(
                f"{name!r} has its weights in {location!r}, and there is no such file beside it; "
                "put it there, or export the model again"
            )
    return tuple([folder / location for location in locations])
