"""ONNX graphs that are given in place of a module: by the path of a file, or as what onnx has loaded."""

import os
import sys
from typing import TYPE_CHECKING, Any

from resflops.errors import InputError
from resflops.records import Shape, TensorSpec, Trace, is_shape

# The sources are imported where they are used: a count of a module needs none of them.
if TYPE_CHECKING:
    from resflops.sources.found_model import FoundModel

__all__ = ["find_given_graph", "is_shape_only", "open_given_graph", "read_given_graph"]


def read_given_graph(
    model: object, inputs: tuple[Any, ...], keyword_inputs: dict[str, Any], *, nonzero: bool = False
) -> Trace | None:
    """Read the trace of a graph; None if what is given is no graph. See ``open_given_graph``."""
    opened = open_given_graph(model, inputs, keyword_inputs, nonzero=nonzero)
    return None if opened is None else opened[1]


def open_given_graph(
    model: object, inputs: tuple[Any, ...], keyword_inputs: dict[str, Any], *, nonzero: bool = False
) -> "tuple[FoundModel, Trace] | None":
    """Find the graph that is given, and read its trace; None if what is given is no graph.

    Args:
        model: what the caller gave as a model.
        inputs: the positional inputs: shapes, or what has one.
        keyword_inputs: inputs by the names that the graph has for them.
        nonzero: whether to count the zeros in the weights.

    Raises:
        InputError: an input is no shape and has none, or does not fit the graph.
        ModelError: the file is no graph, or damaged.
    """
    found = find_given_graph(model)
    if found is None or found.read is None:
        return None
    from resflops.sources.found_model import ReadRequest

    shapes = {name: _read_shape(name, given) for name, given in keyword_inputs.items()}
    given = tuple([_read_shape(str(place), each) for place, each in enumerate(inputs)])
    given = found.complete_inputs(*given)
    return found, found.read(ReadRequest(inputs=given, keyword_inputs=shapes, nonzero=nonzero))


def find_given_graph(model: object) -> "FoundModel | None":
    """Find the graph that is given; None if what is given is no graph."""
    if isinstance(model, str | os.PathLike):
        from resflops.sources.lookup import find
        from resflops.sources.model_files import is_graph_file

        spec = os.fspath(model)
        return find(spec) if isinstance(spec, str) and is_graph_file(spec) else None
    # Whoever has such a graph has imported the package.
    onnx = sys.modules.get("onnx")
    if onnx is None or not isinstance(model, onnx.ModelProto):
        return None
    from resflops.sources.onnx_files.finding import wrap_graph
    from resflops.sources.spec import Spec

    name = model.graph.name or "ONNX graph"
    return wrap_graph(model, Spec(text=name, name=name))


def is_shape_only(given: object) -> bool:
    """Tell whether an input is given by its shape, rather than with values."""
    return isinstance(given, TensorSpec) or (isinstance(given, tuple) and is_shape(given))


def _read_shape(name: str, given: object) -> Shape:
    if isinstance(given, TensorSpec):
        return given.shape
    if isinstance(given, tuple) and is_shape(given):
        return given
    shape = getattr(given, "shape", None)
    if shape is None:
        raise InputError(
            f"input {name} of an ONNX graph must be a shape, a tensor or an array, got {given!r:.80}; "
            "give its shape, as in (1, 3, 224, 224)"
        )
    return tuple(map(int, shape))
