"""Softmax and its logarithm."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from resflops.tracing.functions.registry import Call, NotDescribed, describes


@describes(F.softmax, torch.softmax, torch.Tensor.softmax, repeated=True)
def softmax(
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: torch.dtype | None = None,
) -> Call:
    """Exponentials over their sum, along a dimension."""
    return _softmax("softmax", input, dim, dtype)


@describes(F.log_softmax, torch.log_softmax, torch.Tensor.log_softmax)
def log_softmax(
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: torch.dtype | None = None,
) -> Call:
    """The logarithm of softmax."""
    return _softmax("log_softmax", input, dim, dtype)


def _softmax(op: str, tensor: Tensor, dim: int | None, dtype: Any) -> Call:
    # The Tensor method takes the dtype second, where the function takes the stack level.
    if dim is None or isinstance(dim, torch.dtype):
        raise NotDescribed
    return Call(op, (tensor,), tuple(tensor.shape), {"dim": dim}, dtype)
