"""What ``resflops.benchmark`` is given to measure: a module, or an ONNX graph."""

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from resflops.api.given_models import Model, open_given
from resflops.api.graphs import is_shape_only, open_given_graph

if TYPE_CHECKING:
    from resflops.latency.models import Measurable

__all__ = ["GivenMeasurable", "open_measurable"]


class GivenMeasurable(Struct, frozen=True, kw_only=True):
    """What is measured, and the batch in its inputs."""

    name: str
    measurable: "Measurable"
    batch: int


def open_measurable(
    model: Model,
    inputs: tuple[Any, ...],
    keyword_inputs: dict[str, Any],
    *,
    backend: str,
) -> GivenMeasurable:
    """Open what the caller gives as a model, to measure it.

    Args:
        model: what is given.
        inputs: its positional inputs; of an ONNX graph, those of the first names.
        keyword_inputs: its keyword inputs; of an ONNX graph, those of their names.
        backend: what is to run it.

    Raises:
        ModelError: torch is to run an ONNX graph; or its file is damaged.
        ResflopsError: the model, or its inputs, are none.
    """
    if backend != "torch" and (opened := open_given_graph(model, inputs, keyword_inputs)) is not None:
        from resflops.latency.backends.graph_files import MeasurableGraph

        found, trace = opened
        names = [each.name for each in trace.inputs]
        values = {
            name: value
            for name, value in (*zip(names, inputs, strict=False), *keyword_inputs.items())
            if not is_shape_only(value)
        }
        shapes = [each.shape for each in trace.inputs]
        return GivenMeasurable(
            name=found.spec,
            measurable=MeasurableGraph(found, trace=trace, values=values),
            batch=shapes[0][0] if shapes and shapes[0] else 1,
        )
    from resflops.latency.models import MeasurableModule, find_batch_size
    from resflops.tracing import resolve_inputs

    given = open_given(model, inputs, keyword_inputs)
    reading = resolve_inputs(given.module, given.args, given.kwargs)
    return GivenMeasurable(
        name=given.name or type(given.module).__name__,
        measurable=MeasurableModule(given.module, reading.args, reading.kwargs),
        batch=find_batch_size(reading.args, reading.kwargs),
    )
