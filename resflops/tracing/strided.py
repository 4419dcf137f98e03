"""Passes on meta in which tensors have the strides that they would have in a real run.

They are for models that ask for a layout, and for kernels that take only some. Torch's meta kernels work out
strides, and views of meta tensors are true views.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._prims_common import suggest_memory_format

from resflops.ops import CallSignature
from resflops.tracing.call_through import call_through
from resflops.tracing.meta import META, find_tensors

__all__ = ["run_on_meta"]


def run_on_meta(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], signature: CallSignature | None
) -> Any:
    """Run a described function on meta, for the strides of its result.

    A function without a meta kernel, or one that would leave meta, gives what its signature says, with the
    strides of its input where the shape is the same; None if there is no signature.
    """
    if "device" in kwargs:
        kwargs = {**kwargs, "device": META}
    try:
        out = call_through(func, args, kwargs)
    except (RuntimeError, AssertionError):
        out = None
    if out is not None and all(tensor.is_meta for tensor in find_tensors(out)):
        return _restore_format(out, signature, args) if signature is not None else out
    return None if signature is None else _make_outputs(signature, next(find_tensors((args, kwargs)), None))


# Their kernels keep the channels last, and their meta kernels in torch 2.6 to 2.15 do not.
_KEEPING = frozenset(
    ("conv2d", "conv3d", "conv_transpose2d", "conv_transpose3d", "group_norm", "pixel_shuffle", "roll")
)
_WEIGHTED = 2
"""How many of the tensors of a convolution decide: its input and its weight."""


def _restore_format(out: Any, signature: CallSignature, args: tuple[Any, ...]) -> Any:
    """Give the result of some kernels the memory format that the meta kernel loses."""
    if signature.op not in _KEEPING:
        return out
    deciding = [each for each in args[:_WEIGHTED] if isinstance(each, Tensor) and each.dim() == out.dim()]
    formats = [suggest_memory_format(each) for each in deciding]
    last = [each for each in formats if each is not torch.contiguous_format]
    return out.to(memory_format=last[0]) if last else out


def _make_outputs(signature: CallSignature, first: Tensor | None) -> Any:
    if signature.blank is None:
        return first
    outs = [
        torch.empty_strided(shape, first.stride(), dtype=dtype, device=META)
        if first is not None and tuple(first.shape) == shape
        else torch.empty(shape, dtype=dtype, device=META)
        for shape, dtype, *_ in (signature.blank, *signature.others)
    ]
    return outs[0] if signature.pack is None else signature.pack(tuple(outs))
