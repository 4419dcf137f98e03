"""From the spec of a model to an estimate of its memory by its trace, without torch where one is stored."""

from collections.abc import Callable

from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.peak_memory.options import Options
from resflops.peak_memory.records import Memory
from resflops.records import Shape
from resflops.sources.counting import CountRequest, count_spec

__all__ = ["estimate_spec"]


def estimate_spec(
    spec: str,
    options: Options,
    *,
    input_shape: Shape | None = None,
    batch: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Memory:
    """Estimate the memory of the model that a spec names, from its trace.

    Args:
        spec: any model spec.
        options: how it is run.
        input_shape: shape of its main input, with the batch in front or without; None for its usual one.
        batch: the batch in place of that of the input; None keeps that one. The trace may be of another.
        say: called with a line that says what is being done.

    Raises:
        ResflopsError: the model could not be found, built or traced.
    """
    from resflops.peak_memory.from_traces import estimate_memory

    request = CountRequest(spec=spec, convention=find_convention(DEFAULT_CONVENTION), input_shape=input_shape)
    return estimate_memory(count_spec(request, say=say).cost.trace, options, batch)
