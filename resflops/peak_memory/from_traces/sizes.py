"""How many bytes tensors take, also where a pass is on another batch or in another type than its trace."""

from math import prod

from resflops.records import Shape, Trace

__all__ = ["FLOATING", "ITEM_SIZES", "Sizes"]

ITEM_SIZES = {
    "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4,
    "int64": 8, "uint64": 8,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
    "float4_e2m1fn_x2": 1, "int2": 1, "int4": 1, "uint2": 1, "uint4": 1,
    "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8,
    "complex32": 4, "complex64": 8, "complex128": 16,
    "qint8": 1, "quint8": 1, "qint32": 4,
}  # fmt: skip
"""Bytes of one element, by its type; a whole one where several may share it."""

FLOATING = frozenset(("float16", "bfloat16", "float32", "float64"))


class Sizes:
    """Works out bytes.

    Args:
        trace: the trace.
        dtype: the type that stands for the model's own; ``""`` leaves all as they are.
        batch: the batch of the pass; None is that of the trace.
    """

    def __init__(self, trace: Trace, dtype: str, batch: int | None) -> None:
        self.own_dtype = find_own_dtype(trace)
        self._dtype = dtype or self.own_dtype
        self.recorded_batch = find_batch(trace)
        self.batch = self.recorded_batch if batch is None else batch

    def name_dtype(self, dtype: str) -> str:
        """Name the type that a tensor has in this pass."""
        return self._dtype if dtype == self.own_dtype else dtype

    def count(self, shape: Shape, dtype: str, *, scales: bool) -> int:
        """Count the bytes of a tensor."""
        return self.scale(prod(shape) * ITEM_SIZES.get(self.name_dtype(dtype), 4), scales=scales)

    def scale(self, size: int, *, scales: bool) -> int:
        """Scale bytes to the batch of the pass, if they grow with it."""
        if not scales or self.batch == self.recorded_batch:
            return size
        return size * self.batch // self.recorded_batch

    def scale_shape(self, shape: Shape) -> Shape:
        """Give an input the batch of the pass."""
        if not shape or shape[0] != self.recorded_batch:
            return shape
        return (self.batch, *shape[1:])


def find_own_dtype(trace: Trace) -> str:
    """Find the type of the model's own floating-point numbers."""
    for module in trace.modules:
        for tensor in module.parameters:
            if tensor.dtype in FLOATING:
                return tensor.dtype
    return "float32"


def find_batch(trace: Trace) -> int:
    """Find the batch that a trace was taken on: the first size of its first input that has sizes."""
    return next((given.shape[0] for given in trace.inputs if given.shape), 1)
