"""Families of ops and of module classes that several peers treat alike."""

from collections.abc import Iterable

__all__ = [
    "ADAPTIVE_AVG_POOLS",
    "AVG_POOLS",
    "BATCH_NORMS",
    "CONVOLUTIONS",
    "INSTANCE_NORMS",
    "MATRIX_PRODUCTS",
    "POOLS",
    "TRANSPOSED_CONVOLUTIONS",
    "charged",
    "dimensions",
]


def dimensions(name: str) -> tuple[str, ...]:
    """The three of a family: in one, two and three dimensions.

    >>> dimensions("conv{}d")
    ('conv1d', 'conv2d', 'conv3d')
    """
    return tuple(name.format(n) for n in (1, 2, 3))


CONVOLUTIONS = dimensions("conv{}d")
TRANSPOSED_CONVOLUTIONS = dimensions("conv_transpose{}d")
AVG_POOLS = dimensions("avg_pool{}d")
ADAPTIVE_AVG_POOLS = dimensions("adaptive_avg_pool{}d")
POOLS = (*AVG_POOLS, *ADAPTIVE_AVG_POOLS, *dimensions("max_pool{}d"), *dimensions("adaptive_max_pool{}d"))
MATRIX_PRODUCTS = ("matmul", "mm", "bmm", "addmm", "baddbmm")

BATCH_NORMS = dimensions("BatchNorm{}d")
INSTANCE_NORMS = dimensions("InstanceNorm{}d")


def charged(ops: Iterable[str], **prices: int) -> dict[str, dict[str, int]]:
    """The same prices for several ops.

    >>> charged(["mm", "bmm"], macs=1)
    {'mm': {'macs': 1}, 'bmm': {'macs': 1}}
    """
    return {op: dict(prices) for op in ops}
