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
    "RECURRENT",
    "TRANSPOSED_CONVOLUTIONS",
    "charged",
    "dimensions",
    "recurrent",
]

RECURRENT = ("RNN", "GRU", "LSTM")


def recurrent(per_mac: int, *, lstm: int, gru: int, rnn: int) -> dict[str, dict[str, int]]:
    """The charges for recurrent layers of one that counts products, biases, and more per element.

    Args:
        per_mac: for a multiply-accumulate.
        lstm: per element of an LSTM's state, as the next two of a GRU's and an RNN's.
        gru: of a GRU's.
        rnn: of an RNN's.

    >>> recurrent(1, lstm=8, gru=7, rnn=1)["gru"]
    {'macs': 1, 'bias_adds': 1, 'state_elements': 7}
    """
    elements = {"lstm": lstm, "gru": gru, "rnn_tanh": rnn, "rnn_relu": rnn}
    return {op: {"macs": per_mac, "bias_adds": 1, "state_elements": each} for op, each in elements.items()}


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
