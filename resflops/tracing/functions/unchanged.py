"""Torch functions that run as they are, on meta tensors: their own kernels are cheap enough.

Those that are ops are declared so in ``resflops.ops``; what stands here are questions and ways out, no ops.
"""

from collections.abc import Callable
from inspect import isgetsetdescriptor
from typing import Any

import torch

from resflops.tracing.binding import bind_unchanged
from resflops.tracing.functions.registry import getter, named

__all__ = ["DEVICE", "FACTORIES", "LEAVING", "QUERIES", "WHOLE"]


WHOLE = bind_unchanged("whole")
"""Views and copies that run as they are, with the op that each is recorded as."""

FACTORIES = bind_unchanged("factories")
"""Functions that make a tensor out of nothing; on meta it stays there."""

_TENSOR_PROPERTIES = frozenset(("T", "H", "mT", "mH", "data", "grad", "real", "imag", "_grad", "_base"))

_PROPERTIES = [
    getter(name)
    for name, found in vars(torch._C.TensorBase).items()
    if isgetsetdescriptor(found) and name not in _TENSOR_PROPERTIES
]

DEVICE = getter("device")
"""The one question whose answer the recorder may give itself."""

QUERIES: frozenset[Callable[..., Any]] = frozenset(
    [
        *(query for query in _PROPERTIES if query != DEVICE),
        *named(
            "size", "dim", "numel", "nelement", "ndimension", "stride", "is_contiguous", "is_floating_point",
            "is_complex", "element_size", "storage_offset", "is_tensor", "__len__", "__hash__", "get_device",
        ),
        torch._assert,
        torch.get_default_dtype,
    ]
)  # fmt: skip
"""Questions about a tensor; nothing is recorded for them."""

LEAVING: dict[Callable[..., Any], str] = {
    getattr(torch.Tensor, name): name for name in ("numpy", "__array__", "__dlpack__", "data_ptr")
}
"""Ways out of torch, to numpy or to a kernel that torch does not run: what is done there, nothing sees."""
