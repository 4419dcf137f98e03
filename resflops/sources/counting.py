"""From the specs of models to their costs, for every command and report.

Whether a figure comes from a stored trace or from one that is taken now is decided here, before torch is
imported, which takes longer than all else.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, nullcontext
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from resflops.cost import Cost, price
from resflops.cost.convention import Convention
from resflops.errors import ResflopsError
from resflops.process.garbage import delay_collection
from resflops.records import Shape
from resflops.sources.batches import replace_batch
from resflops.sources.found_model import FoundModel, ReadRequest
from resflops.sources.lookup import find
from resflops.sources.model_files import is_graph_file
from resflops.sources.steps import Step
from resflops.sources.stored_traces import find_stored_trace, store_trace

__all__ = ["CountRequest", "CountedModel", "count_model", "count_models", "count_spec"]


class CountRequest(Struct, frozen=True, kw_only=True):
    """A model to count, and how to count it."""

    spec: str
    convention: Convention
    """The convention that ``total`` follows."""
    name: str = ""
    """The name that the user has given it; ``""`` if it goes by its spec."""
    input_shape: Shape | None = None
    """Shape of its main input, with the batch in front or without; None for its usual one."""
    batch: int | None = None
    """The batch in place of that of the input; None keeps that one."""
    dtype: str | None = None
    """Type to convert its floating-point parameters and inputs to, such as ``float16``; None keeps theirs."""
    backward: bool = False
    """Whether to count the backward pass as well."""
    nonzero: bool = False
    """Whether to count the zeros in the weights."""
    root: Path | None = None
    """The folder to which paths and packages in its spec are relative; None for the current one."""
    fresh: bool = False
    """Whether to trace it even if a trace of it is stored."""
    lifetimes: bool = False
    """Whether its trace must tell how long the model's own variables hold tensors, which memory needs."""


class CountedModel(Struct, frozen=True, kw_only=True):
    """A model that has been counted."""

    found: FoundModel
    cost: Cost
    stored: str = ""
    """Where its trace was stored, in words; ``""`` if it was taken now."""


def count_models(
    requests: Sequence[CountRequest], *, say: Callable[[str], None]
) -> Iterator[CountedModel | ResflopsError]:
    """Count models one after the other.

    A model is counted only when the iterator is asked for it. So the caller may stop at the first failure,
    and an interrupt loses nothing that has been counted.

    Args:
        requests: the models.
        say: called with a line that says which model is being counted.

    Yields:
        For each request, in order, the model with its cost, or the error for which it has none.
    """
    for number, request in enumerate(requests, start=1):
        try:
            yield count_spec(
                request,
                say=say,
                doing=Step(f"counting {request.name or request.spec}", number, of=len(requests)),
            )
        except ResflopsError as error:
            yield error


@delay_collection()
def count_spec(
    request: CountRequest, *, say: Callable[[str], None] = lambda _: None, doing: str = ""
) -> CountedModel:
    """Count the model of one request, from a stored trace if there is one.

    Args:
        request: the model.
        say: called with a line that says what is being done.
        doing: that line.

    Raises:
        ResflopsError: the model could not be found, built or traced.
    """
    spec, shape, dtype = request.spec, _complete_shape(request), request.dtype
    may_be_stored = not (request.fresh or request.nonzero)
    stored = find_stored_trace(spec, input_shape=shape, dtype=dtype) if may_be_stored else None
    if stored and request.lifetimes and stored.trace.held_until is None:
        # One that was stored for a count alone.
        stored = None
    if stored is None and "torch" not in sys.modules and not is_graph_file(spec):
        say("loading torch")
        import torch  # noqa: F401 - here, so that what is said next is about the model
    say(doing or f"counting {spec}")
    if stored is not None:
        cost = price(stored.trace, request.convention, backward=request.backward)
        return CountedModel(found=stored.found, cost=cost, stored=stored.where)
    with chdir(request.root) if request.root else nullcontext():
        found = find(spec)
        if request.batch is not None and shape is None:
            found = replace_batch(found, request.batch)
        cost = count_model(
            found,
            input_shape=shape,
            convention=request.convention,
            backward=request.backward,
            nonzero=request.nonzero,
            dtype=dtype,
            lifetimes=request.lifetimes,
        )
    if not request.nonzero:
        store_trace(found, cost.trace, input_shape=shape, dtype=dtype)
    return CountedModel(found=found, cost=cost)


def _complete_shape(request: CountRequest) -> Shape | None:
    """Put the batch that is asked for into the shape; None if that leaves the usual input."""
    shape = request.input_shape
    if request.batch is None:
        return shape
    # A stored trace knows the usual input without an import of the model's package.
    stored = find_stored_trace(request.spec, input_shape=None, dtype=request.dtype)
    with chdir(request.root) if request.root else nullcontext():
        found = stored.found if stored else find(request.spec)
    return found.complete_shape(shape, request.batch)


def count_model(
    found: FoundModel,
    *,
    input_shape: Shape | None,
    convention: Convention,
    backward: bool = False,
    nonzero: bool = False,
    dtype: str | None = None,
    lifetimes: bool = False,
) -> Cost:
    """Build a model that a spec has found, and count it; the cost names it by its spec.

    Args:
        found: the model.
        input_shape: shape of its main input, with the batch in front or without; None for its usual one.
        convention: the convention that ``total`` follows.
        backward: whether to count the backward pass as well.
        nonzero: whether to count the zeros in the weights, for which the model is built on the CPU.
        dtype: type to convert its floating-point parameters and inputs to, such as ``float16``; None keeps
            theirs.
        lifetimes: whether the trace tells how long the model's own variables hold tensors.

    Raises:
        InputError: a shape that no tensor can have.
        TraceError: the model does not take that input; the message names the layer.
    """
    if found.read is not None:
        # Without torch: a graph is read as it stands in its file.
        given = found.complete_inputs(input_shape)
        traced = found.read(ReadRequest(inputs=given, dtype=dtype, nonzero=nonzero))
        return price(traced, convention, backward=backward)
    from resflops.sources.input_hints import explain_input
    from resflops.sources.live_traces import trace_with_notes

    with explain_input(found, input_shape):
        traced = trace_with_notes(
            found, input_shape=input_shape, dtype=dtype, nonzero=nonzero, lifetimes=lifetimes
        )
    return price(replace(traced, model=found.spec), convention, backward=backward)
