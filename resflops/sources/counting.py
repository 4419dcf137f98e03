"""From the specs of models to their costs, for every command and report."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager, nullcontext
from pathlib import Path

import torch
from msgspec import Struct
from msgspec.structs import replace
from torch import Tensor
from torch.utils._pytree import tree_map_only

from resflops.cost import Cost, price
from resflops.cost.convention import Convention
from resflops.errors import DataDependentError, InputError, ResflopsError, TraceError
from resflops.records import Shape, Trace
from resflops.sources.building import OpenModel, open_found_model
from resflops.sources.found_model import FoundModel
from resflops.sources.lookup import find
from resflops.tracing import trace
from resflops.tracing.generators import fix_generators
from resflops.tracing.model_copies import refuse_made_up_weights

__all__ = ["CountRequest", "CountedModel", "count_model", "count_models", "trace_found"]


class CountRequest(Struct, frozen=True, kw_only=True):
    """A model to count, and how to count it."""

    spec: str
    convention: Convention
    """The convention that ``total`` follows."""
    name: str = ""
    """The name that the user has given it; ``""`` if it goes by its spec."""
    input_shape: Shape | None = None
    """Shape of its main input, with the batch in front or without; None for its usual one."""
    dtype: str | None = None
    """Type to convert its floating-point parameters and inputs to, such as ``float16``; None keeps theirs."""
    backward: bool = False
    """Whether to count the backward pass as well."""
    nonzero: bool = False
    """Whether to count the zeros in the weights."""
    root: Path | None = None
    """The folder to which paths and packages in its spec are relative; None for the current one."""


class CountedModel(Struct, frozen=True, kw_only=True):
    """A model that has been counted."""

    found: FoundModel
    cost: Cost


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
        say(f"counting {request.name or request.spec} ({number} of {len(requests)})")
        yield _attempt(request)


def _attempt(request: CountRequest) -> CountedModel | ResflopsError:
    try:
        with chdir(request.root) if request.root else nullcontext():
            found = find(request.spec)
            cost = count_model(
                found,
                input_shape=request.input_shape,
                convention=request.convention,
                backward=request.backward,
                nonzero=request.nonzero,
                dtype=request.dtype,
            )
    except ResflopsError as error:
        return error
    return CountedModel(found=found, cost=cost)


def count_model(
    found: FoundModel,
    *,
    input_shape: Shape | None,
    convention: Convention,
    backward: bool = False,
    nonzero: bool = False,
    dtype: str | None = None,
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

    Raises:
        InputError: a shape that no tensor can have.
        TraceError: the model does not take that input; the message names the layer.
    """
    try:
        traced = _trace_found(found, input_shape, dtype, nonzero=nonzero)
    except (TraceError, InputError) as error:
        usual = f"; its usual input is {'x'.join(map(str, found.input_shape))}" if found.input_shape else ""
        # Some messages name the model already.
        named = f"{error}" if found.spec in str(error) else f"{found.spec}: {error}"
        raise type(error)(f"{named}{usual}") from error.__cause__
    return price(replace(traced, model=found.spec), convention, backward=backward)


def _trace_found(found: FoundModel, input_shape: Shape | None, dtype: str | None, *, nonzero: bool) -> Trace:
    opened, traced = trace_found(found, input_shape=input_shape, dtype=dtype, nonzero=nonzero)
    fixed = (FIXED_SEED,) if traced.notes else ()
    return replace(traced, notes=(*opened.notes, *traced.notes, *fixed))


FIXED_SEED = "it was built and run from a fixed seed, so that each count takes the same path"


def trace_found(
    found: FoundModel, *, input_shape: Shape | None, dtype: str | None = None, nonzero: bool = False
) -> tuple[OpenModel, Trace]:
    """Build a model that a spec has found, on meta if its trace needs no values, and trace it."""
    if not nonzero:
        try:
            # Weights that are made up here would be others than those that the model is built with.
            with refuse_made_up_weights():
                return _trace_on(found, input_shape, dtype, device="meta", nonzero=False)
        except TraceError as error:
            # In a model that was built on meta, tensors that are neither parameters nor buffers may meet
            # others that have values: torch then names the device. All other failures would come again.
            if not isinstance(error, DataDependentError) and "device meta" not in str(error):
                raise
    return _trace_on(found, input_shape, dtype, device="cpu", nonzero=nonzero)


def _trace_on(
    found: FoundModel, input_shape: Shape | None, dtype: str | None, *, device: str, nonzero: bool
) -> tuple[OpenModel, Trace]:
    # Around both: the forward pass may draw numbers as well.
    with fix_generators():
        # The inputs have no values of their own, and the trace says so where it has to make some up.
        opened = open_found_model(found, input_shape=input_shape, device=device, input_device="meta")
        with _convert_floats(opened, dtype) as converted:
            traced = trace(converted.module, *converted.args, nonzero=nonzero, **converted.kwargs)
    return opened, traced


@contextmanager
def _convert_floats(opened: OpenModel, dtype: str | None) -> Iterator[OpenModel]:
    """Convert floating-point parameters, buffers and inputs to a type, and give the module back as it was.

    A factory may give a module that belongs to somebody else, or the same one each time.
    """
    if dtype is None:
        yield opened
        return
    target: torch.dtype = getattr(torch, dtype)

    def convert(tensor: Tensor) -> Tensor:
        return tensor.to(target) if tensor.is_floating_point() else tensor

    args, kwargs = tree_map_only(Tensor, convert, (opened.args, opened.kwargs))
    buffers = [
        (each, dict(each.named_buffers(recurse=False, remove_duplicate=False)))
        for each in opened.module.modules()
    ]
    parameters = list(opened.module.parameters())
    gradients = [each.grad for each in parameters if each.grad is not None]
    data = [(tensor, tensor.data) for tensor in (*parameters, *gradients)]
    try:
        yield replace(opened, module=opened.module.to(target), args=args, kwargs=kwargs)
    finally:
        # Module.to replaces the buffers, and the data of parameters and of their gradients.
        for owner, named in buffers:
            for name, buffer in named.items():
                setattr(owner, name, buffer)
        for tensor, values in data:
            tensor.data = values
