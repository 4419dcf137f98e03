"""Traces that are taken now: a model is built, with torch, and its forward pass is recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from msgspec.structs import replace
from torch import Tensor
from torch.utils._pytree import tree_map_only

from resflops.errors import DataDependentError, TraceError
from resflops.process.garbage import delay_collection
from resflops.records import Shape, Trace
from resflops.sources.building import OpenModel, open_found_model
from resflops.sources.found_model import FoundModel
from resflops.sources.transformers_messages import describe_fallbacks, hear_transformers
from resflops.tracing import trace
from resflops.tracing.detection import FOUND_MOST
from resflops.tracing.generators import fix_generators
from resflops.tracing.model_copies import refuse_made_up_weights

__all__ = ["FIXED_SEED", "run_on_meta_or_cpu", "trace_found", "trace_with_notes"]

Result = TypeVar("Result")

FIXED_SEED = "it was built and run from a fixed seed, so that each count takes the same path"


def trace_with_notes(
    found: FoundModel,
    *,
    input_shape: Shape | None,
    dtype: str | None = None,
    nonzero: bool = False,
    lifetimes: bool = False,
) -> Trace:
    """Build a model that a spec has found and trace it; the trace notes what was special about either."""
    opened, traced = trace_found(
        found, input_shape=input_shape, dtype=dtype, nonzero=nonzero, lifetimes=lifetimes
    )
    # What a pass on shapes assumes of a detector comes from no seed.
    drawn = any(not note.startswith(FOUND_MOST) for note in traced.notes)
    fixed = (FIXED_SEED,) if drawn else ()
    return replace(traced, notes=(*opened.notes, *traced.notes, *fixed))


@delay_collection()
def trace_found(
    found: FoundModel,
    *,
    input_shape: Shape | None,
    dtype: str | None = None,
    nonzero: bool = False,
    lifetimes: bool = False,
) -> tuple[OpenModel, Trace]:
    """Build a model that a spec has found, on meta if its trace needs no values, and trace it."""
    with hear_transformers() as heard:
        opened, traced = _trace_anywhere(found, input_shape, dtype, nonzero=nonzero, lifetimes=lifetimes)
    return replace(opened, notes=(*opened.notes, *describe_fallbacks(heard))), traced


def run_on_meta_or_cpu(run: Callable[[str], Result]) -> Result:
    """Run what builds a model on meta, or on the CPU if the model needs values.

    Args:
        run: takes the device to build the model on.

    Raises:
        TraceError: it failed, on meta in a way that values do not cure.
    """
    try:
        # Weights that are made up here would be others than those that the model is built with.
        with refuse_made_up_weights():
            return run("meta")
    except TraceError as error:
        # In a model that was built on meta, tensors that are neither parameters nor buffers may meet
        # others that have values: torch then names the device. All other failures would come again.
        if not isinstance(error, DataDependentError) and "device meta" not in str(error):
            raise
    return run("cpu")


def _trace_anywhere(
    found: FoundModel, input_shape: Shape | None, dtype: str | None, *, nonzero: bool, lifetimes: bool
) -> tuple[OpenModel, Trace]:
    def run(device: str) -> tuple[OpenModel, Trace]:
        return _trace_on(found, input_shape, dtype, device=device, nonzero=nonzero, lifetimes=lifetimes)

    return run("cpu") if nonzero else run_on_meta_or_cpu(run)


def _trace_on(
    found: FoundModel,
    input_shape: Shape | None,
    dtype: str | None,
    *,
    device: str,
    nonzero: bool,
    lifetimes: bool,
) -> tuple[OpenModel, Trace]:
    # Around both: the forward pass may draw numbers as well.
    with fix_generators():
        # The inputs have no values of their own, and the trace says so where it has to make some up.
        opened = open_found_model(found, input_shape=input_shape, device=device, input_device="meta")
        with _convert_floats(opened, dtype) as converted:
            traced = trace(
                converted.module, *converted.args, nonzero=nonzero, lifetimes=lifetimes, **converted.kwargs
            )
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
