"""From the spec of a model to the memory that it needs."""

from msgspec.structs import replace

from resflops.peak_memory.from_traces import estimate_memory
from resflops.peak_memory.options import Options
from resflops.peak_memory.records import Memory
from resflops.process.garbage import delay_collection
from resflops.records import Shape
from resflops.sources.batches import set_input
from resflops.sources.building import OpenModel, open_found_model
from resflops.sources.found_model import FoundModel, ReadRequest
from resflops.sources.live_traces import run_on_meta_or_cpu
from resflops.sources.lookup import find
from resflops.sources.transformers_messages import describe_fallbacks, hear_transformers
from resflops.tracing.generators import fix_generators
from resflops.tracing.inputs import Reading
from resflops.tracing.memory import measure_memory

__all__ = ["measure_spec"]


def measure_spec(
    spec: str, options: Options, *, input_shape: Shape | None = None, batch: int | None = None
) -> Memory:
    """Measure the memory of the model that a spec names.

    Args:
        spec: any model spec.
        options: how it is run.
        input_shape: shape of its main input, with the batch in front or without; None for its usual one.
        batch: the batch in place of that of the input; None keeps that one.

    Raises:
        ResflopsError: the model could not be found, built or run.
    """
    found, whole = set_input(find(spec), input_shape, batch)
    if found.read is not None:
        return estimate_memory(found.read(ReadRequest(inputs=found.complete_inputs(whole))), options)
    with hear_transformers() as heard:
        measured = run_on_meta_or_cpu(lambda device: _measure(_open(found, whole, device), options))
    return replace(measured, notes=(*measured.notes, *describe_fallbacks(heard)))


def _open(found: FoundModel, input_shape: Shape | None, device: str) -> OpenModel:
    with fix_generators():
        return open_found_model(found, input_shape=input_shape, device=device, input_device="meta")


@delay_collection()
def _measure(opened: OpenModel, options: Options) -> Memory:
    # Built from a fixed seed, since where values decide the path it runs for real.
    with fix_generators():
        measured = measure_memory(opened.module, Reading(opened.args, opened.kwargs), options)
    return replace(measured, model=opened.found.spec, notes=(*opened.notes, *measured.notes))
