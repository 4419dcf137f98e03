"""Turns the record of an op into a step: tensors of its shapes, and the call of torch that it stands for."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor
from torch.nn import functional

from resflops.latency.session import Step
from resflops.records import OpRecord

__all__ = ["PreparedOp", "prepare_op"]


class PreparedOp(Struct, frozen=True, kw_only=True):
    """An op with its tensors."""

    touch: Step
    """Writes its input, as the op before it has just done in a network."""
    step: Step


def prepare_op(
    record: OpRecord, *, dtype: torch.dtype, in_place: bool = False, channels_last: bool = False
) -> PreparedOp:
    """Prepare an op on the CPU.

    Args:
        record: the op, of one of the kinds that are drawn.
        dtype: the element type of all its tensors.
        in_place: whether it writes into its first input.
        channels_last: whether its image and its weight lie channels last.
    """
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(shape, generator=generator).to(dtype) for shape in record.input_shapes]
    if channels_last:
        tensors = [each.to(memory_format=torch.channels_last) for each in tensors]
    # Of what is concatenated, the last was made last.
    touched = tensors[-1] if record.op == "cat" else tensors[0]
    return PreparedOp(touch=partial(touched.mul_, 1.0), step=_choose_call(record, tensors, in_place=in_place))


def _choose_call(record: OpRecord, tensors: list[Tensor], *, in_place: bool) -> Step:
    op, first = record.op, tensors[0]
    if op in {"conv2d", "linear"}:
        return _call_with_weight(record, *tensors)
    if op in {"batch_norm", "group_norm", "layer_norm"}:
        return _call_norm(record, first)
    if op in {"max_pool2d", "avg_pool2d"}:
        pool: Callable[..., Tensor] = getattr(functional, op)
        return partial(pool, first, *(record.attributes[name] for name in ("kernel", "stride", "padding")))
    if op in {"add", "mul"}:
        return partial(getattr(first, f"{op}_" if in_place else op), tensors[1])
    if op in _CALLS:
        return partial(_CALLS[op], tensors)
    activation: Callable[..., Tensor] = getattr(functional, op)
    return partial(activation, first, inplace=True) if in_place else partial(activation, first)


def _call_with_weight(record: OpRecord, first: Tensor, weight: Tensor) -> Step:
    bias = torch.zeros(weight.shape[0], dtype=first.dtype) if record.attributes["bias"] else None
    if record.op == "linear":
        return partial(functional.linear, first, weight, bias)
    stride, padding, groups = (record.attributes[name] for name in ("stride", "padding", "groups"))
    return partial(torch.conv2d, first, weight, bias, stride, padding, 1, groups)


def _call_norm(record: OpRecord, first: Tensor) -> Step:
    channels = first.shape[-1 if record.op == "layer_norm" else 1]
    mean, variance, weight, bias = (torch.ones(channels, dtype=first.dtype) for _ in range(4))
    if record.op == "batch_norm":
        return partial(functional.batch_norm, first, mean, variance, weight, bias)
    if record.op == "group_norm":
        return partial(functional.group_norm, first, 1, weight, bias)
    return partial(functional.layer_norm, first, (channels,), weight, bias)


_CALLS: dict[str, Callable[[list[Tensor]], Any]] = {
    "matmul": lambda tensors: torch.matmul(tensors[0], tensors[1]),
    "scaled_dot_product_attention": lambda tensors: functional.scaled_dot_product_attention(
        tensors[0], tensors[1], tensors[2]
    ),
    "softmax": lambda tensors: functional.softmax(tensors[0], -1),
    "cat": lambda tensors: torch.cat(tensors, 1),
    "contiguous": lambda tensors: tensors[0].transpose(1, 2).contiguous(),
    "roll": lambda tensors: torch.roll(tensors[0], (1, 1), (1, 2)),
    "pad": lambda tensors: functional.pad(tensors[0], (0, 0)),
    "adaptive_avg_pool2d": lambda tensors: functional.adaptive_avg_pool2d(tensors[0], 1),
    "mean": lambda tensors: tensors[0].mean((2, 3)),
    "sigmoid": lambda tensors: torch.sigmoid(tensors[0]),
    "tanh": lambda tensors: torch.tanh(tensors[0]),
}
