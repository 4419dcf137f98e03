"""From the spec of a model to its cost: what the command line does with every model."""

from msgspec.structs import replace

from resflops.cost import Cost, cost_of
from resflops.errors import DataDependentError, InputError, TraceError
from resflops.records import Shape, Trace
from resflops.sources import FoundModel
from resflops.sources.building import open_found
from resflops.tracing import trace

__all__ = ["count_found"]


def count_found(
    found: FoundModel,
    *,
    input_shape: Shape | None,
    convention: str,
    backward: bool = False,
    nonzero: bool = False,
) -> Cost:
    """Build a model that a spec has found, and count it under its spec.

    Args:
        found: the model.
        input_shape: of its main input, with the batch in front or without; its usual one if None.
        convention: name of the one that ``total`` is under.
        backward: whether to count the backward pass as well.
        nonzero: whether to count the zeros in the weights, for which it is built on the CPU.

    Raises:
        InputError: a shape that no tensor can have.
        TraceError: the model does not take that input; the message names the layer.
    """
    try:
        traced = _traced(found, input_shape, nonzero=nonzero)
    except (TraceError, InputError) as error:
        usual = f"; its usual input is {'x'.join(map(str, found.input_shape))}" if found.input_shape else ""
        raise type(error)(f"{found.spec}: {error}{usual}") from error.__cause__
    return cost_of(replace(traced, model=found.spec), convention_name=convention, backward=backward)


def _traced(found: FoundModel, input_shape: Shape | None, *, nonzero: bool) -> Trace:
    opened = open_found(found, input_shape=input_shape, device="cpu" if nonzero else "meta")
    try:
        traced = trace(opened.module, *opened.args, nonzero=nonzero, **opened.kwargs)
    except DataDependentError:
        if nonzero:
            raise
        # It holds tensors that are neither parameters nor buffers, so no copy of it can run for
        # real; one that is built for real can.
        opened = open_found(found, input_shape=input_shape, device="cpu")
        traced = trace(opened.module, *opened.args, **opened.kwargs)
    return replace(traced, notes=(*opened.notes, *traced.notes))
