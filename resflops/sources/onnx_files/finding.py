"""An ONNX file as a model that a spec has found."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from msgspec.structs import replace

from resflops.errors import ModelError
from resflops.records import Trace
from resflops.sources.found_model import FoundModel, ReadRequest
from resflops.sources.onnx_files.loading import load_graph
from resflops.sources.onnx_files.reading import read_trace
from resflops.sources.onnx_files.sizes import Given, list_inputs
from resflops.sources.spec import Spec

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["find_graph"]


def find_graph(path: Path, spec: Spec) -> FoundModel:
    """Find the model of an ONNX file; the spec's options set the sizes that the file leaves open.

    Raises:
        ModelError: the package onnx is missing, or the file is no ONNX graph.
        FileError: it cannot be read.
    """
    model = load_graph(path, spec.name)
    sizes = spec.values()

    def read(request: ReadRequest) -> Trace:
        given = Given(main=request.input_shape, batch=request.batch, sizes=sizes)
        return replace(read_trace(model, spec.name, given), model=spec.text)

    return FoundModel(
        spec=spec.text,
        summary=f"the ONNX graph in {spec.name}",
        family="yours",
        input_shape=_find_usual_input(model),
        make=lambda: _refuse_to_build(spec.name),
        read=read,
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
        f"{name!r} is an ONNX graph, which cannot be built as a PyTorch module; table, "
        "layers, memory, lock, check, diff and report read it as it is, and bench runs it by "
        "--backend onnxruntime"
    )
