"""From the spec of a model to its cost: what the command line does with every model."""

import torch
from msgspec.structs import replace
from torch import Tensor
from torch.utils._pytree import tree_map_only

from resflops.cost import Cost, cost_of
from resflops.errors import DataDependentError, InputError, TraceError
from resflops.records import Shape, Trace
from resflops.sources import FoundModel
from resflops.sources.building import OpenModel, open_found
from resflops.tracing import trace

__all__ = ["count_found"]


def count_found(
    found: FoundModel,
    *,
    input_shape: Shape | None,
    convention: str,
    backward: bool = False,
    nonzero: bool = False,
    dtype: str | None = None,
) -> Cost:
    """Build a model that a spec has found, and count it under its spec.

    Args:
        found: the model.
        input_shape: of its main input, with the batch in front or without; its usual one if None.
        convention: name of the one that ``total`` is under.
        backward: whether to count the backward pass as well.
        nonzero: whether to count the zeros in the weights, for which it is built on the CPU.
        dtype: what its floating-point parameters and inputs become, such as ``float16``; None
            leaves them as they are.

    Raises:
        InputError: a shape that no tensor can have.
        TraceError: the model does not take that input; the message names the layer.
    """
    try:
        traced = _traced(found, input_shape, dtype, nonzero=nonzero)
    except (TraceError, InputError) as error:
        usual = f"; its usual input is {'x'.join(map(str, found.input_shape))}" if found.input_shape else ""
        # Some messages name it themselves.
        named = f"{error}" if found.spec in str(error) else f"{found.spec}: {error}"
        raise type(error)(f"{named}{usual}") from error.__cause__
    return cost_of(replace(traced, model=found.spec), convention_name=convention, backward=backward)


def _traced(found: FoundModel, input_shape: Shape | None, dtype: str | None, *, nonzero: bool) -> Trace:
    device = "cpu" if nonzero else "meta"
    opened = _in_dtype(open_found(found, input_shape=input_shape, device=device), dtype)
    try:
        traced = trace(opened.module, *opened.args, nonzero=nonzero, **opened.kwargs)
    except DataDependentError:
        if nonzero:
            raise
        # It holds tensors that are neither parameters nor buffers, so no copy of it can run for
        # real; one that is built for real can.
        opened = _in_dtype(open_found(found, input_shape=input_shape, device="cpu"), dtype)
        traced = trace(opened.module, *opened.args, **opened.kwargs)
    return replace(traced, notes=(*opened.notes, *traced.notes))


def _in_dtype(opened: OpenModel, dtype: str | None) -> OpenModel:
    if dtype is None:
        return opened
    target: torch.dtype = getattr(torch, dtype)

    def converted(tensor: Tensor) -> Tensor:
        return tensor.to(target) if tensor.is_floating_point() else tensor

    args, kwargs = tree_map_only(Tensor, converted, (opened.args, opened.kwargs))
    return replace(opened, module=opened.module.to(target), args=args, kwargs=kwargs)
