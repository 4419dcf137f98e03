"""An ONNX file as a model that a spec has found."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from msgspec.structs import replace

from resflops.errors import ModelError
from resflops.records import Trace
from resflops.sources.found_model import FoundModel, ReadRequest
from resflops.sources.onnx_files.loading import load_graph
from resflops.sources.onnx_files.reading import read_graph
from resflops.sources.onnx_files.sizes import Given, list_inputs
from resflops.sources.onnx_files.types import convert_floats
from resflops.sources.onnx_files.weight_zeros import count_weights
from resflops.sources.spec import Spec

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["find_graph", "wrap_graph"]


def find_graph(path: Path, spec: Spec) -> FoundModel:
    """Find the model of an ONNX file; the spec's options set the sizes that the file leaves open.

    Raises:
        ModelError: the package onnx is missing, or the file is no ONNX graph.
        FileError: it cannot be read.
    """

    def load_whole() -> "ModelProto":
        return load_graph(path, spec.name, whole=True)

    found = wrap_graph(load_graph(path, spec.name), spec, load_whole=load_whole)
    return replace(found, graph=path)


def wrap_graph(
    model: "ModelProto", spec: Spec, *, load_whole: "Callable[[], ModelProto] | None" = None
) -> FoundModel:
    """Make a found model of a graph.

    Args:
        model: the graph, which stays as it is.
        spec: the spec that found it, or what stands for one.
        load_whole: loads it with the elements of its weights, where ``model`` lacks them.
    """
    sizes = spec.values()

    def read(request: ReadRequest) -> Trace:
        given = Given(inputs=request.inputs, shapes=request.keyword_inputs, batch=request.batch, sizes=sizes)
        reading = read_graph(model, spec.name, given)
        trace = replace(reading.trace, model=spec.text)
        if request.dtype is not None:
            trace = convert_floats(trace, request.dtype)
        if not request.nonzero:
            return trace
        return replace(trace, weights=count_weights(reading, load_whole() if load_whole else model))

    return FoundModel(
        spec=spec.text,
        summary=f"the ONNX graph in {spec.name}",
        family="yours",
        input_shape=_find_usual_input(model),
        make=lambda: _refuse_to_build(spec.name),
        read=read,
        graph=model,
    )


def _find_usual_input(model: "ModelProto") -> tuple[int, ...]:
    """Find the sizes of the main input after the batch; none if one of them is open."""
    inputs = list_inputs(model.graph)
    rest = inputs[0].dimensions[1:] if inputs else ()
    return tuple([size for size in rest if isinstance(size, int)]) if all(map(_is_fixed, rest)) else ()


def _is_fixed(size: int | str) -> bool:
    return isinstance(size, int)


def _refuse_to_build(name: str) -> NoReturn:
    raise ModelError(
        f"{name!r} is an ONNX graph, which cannot be built as a PyTorch module; bench runs it with "
        "--backend onnxruntime or openvino, and all that only counts reads it as it is"
    )
