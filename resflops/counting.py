"""From the spec of a model to its cost: what the command line does with every model."""

from msgspec.structs import replace

from resflops.cost import Cost, cost_of
from resflops.errors import InputError, TraceError
from resflops.records import Shape
from resflops.sources import FoundModel
from resflops.sources.building import built
from resflops.tracing import trace

__all__ = ["count_found"]


def count_found(found: FoundModel, *, input_shape: Shape, convention: str) -> Cost:
    """Build a model that a spec has found, and count it under its spec.

    Args:
        found: the model.
        input_shape: of its input, with the batch in front.
        convention: name of the one that ``total`` is under.

    Raises:
        InputError: a shape that no tensor can have.
        TraceError: the model does not take that input; the message names the layer.
    """
    try:
        traced = trace(built(found), input_shape)
    except (TraceError, InputError) as error:
        usual = "x".join(map(str, found.input_shape))
        raise type(error)(f"{found.spec}: {error}; its usual input is {usual}") from error.__cause__
    return cost_of(replace(traced, model=found.spec), convention_name=convention)
