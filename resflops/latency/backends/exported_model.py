"""A model as an ONNX file that a runtime can open, whether it was exported or is a file of the user's."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor

from resflops.latency.backends.agreement import OutputError, compare_outputs
from resflops.latency.backends.scopes import Node

__all__ = ["ExportedModel", "check_outputs", "to_arrays"]


class ExportedModel(Struct, kw_only=True):
    """A model as an ONNX file, with an input and what eager torch makes of it, where torch can run it."""

    path: Path
    folder: Path
    """Where files that are made of it are put; only a file of the user's lies elsewhere."""
    inputs: tuple[Tensor, ...]
    input_names: tuple[str, ...]
    outputs: tuple[Tensor, ...] | None
    """Of eager torch, on the same input and weights; None for a file of the user's."""
    dtype: str
    """What it computes in as it is, which is ``int8-static`` or ``int8-dynamic`` of a quantised file."""
    list_nodes: Callable[[], tuple[Node, ...]]
    """Lists the nodes of the graph in its file."""
    size: int
    """Bytes of its files."""


def check_outputs(exported: ExportedModel, got: Sequence[Any], *, dtype: str) -> OutputError:
    """Compare the outputs of a backend with those of eager torch, where there are any.

    Args:
        exported: the model.
        got: the backend's outputs, as arrays.
        dtype: what it computes in.
    """
    if exported.outputs is None:
        return OutputError(
            largest=None,
            note="its outputs were not checked: there is no eager torch to compare an ONNX file with",
        )
    return compare_outputs(to_arrays(exported.outputs), got, dtype=dtype)


def to_arrays(tensors: Sequence[Tensor]) -> list[Any]:
    """Turn tensors into arrays of NumPy, which has no bfloat16."""
    return [
        (each.float() if each.dtype == torch.bfloat16 else each).cpu().contiguous().numpy()
        for each in tensors
    ]
