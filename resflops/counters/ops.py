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
    "charge_ops",
    "charge_recurrent",
    "list_dimensions",
]

RECURRENT = ("RNN", "GRU", "LSTM")


def charge_recurrent(per_mac: int, *, lstm: int, gru: int, rnn: int) -> dict[str, dict[str, int]]:
    """Make the charges for recurrent layers of a peer that counts products, biases and the gates' arithmetic.

    Args:
        per_mac: the charge for a multiply-accumulate.
        lstm: the charge for an element of an LSTM's state.
        gru: the charge for an element of a GRU's state.
        rnn: the charge for an element of a plain RNN's state.

    >>> charge_recurrent(1, lstm=8, gru=7, rnn=1)["gru"]
    {'macs': 1, 'bias_adds': 1, 'state_elements': 7}
    """
    elements = {"lstm": lstm, "gru": gru, "rnn_tanh": rnn, "rnn_relu": rnn}
    return {op: {"macs": per_mac, "bias_adds": 1, "state_elements": price} for op, price in elements.items()}


def list_dimensions(name: str) -> tuple[str, ...]:
    """List the three names of a family: in one, two and three dimensions.

    >>> list_dimensions("conv{}d")
    ('conv1d', 'conv2d', 'conv3d')
    """
    return tuple(name.format(n) for n in (1, 2, 3))


CONVOLUTIONS = list_dimensions("conv{}d")
TRANSPOSED_CONVOLUTIONS = list_dimensions("conv_transpose{}d")
AVG_POOLS = list_dimensions("avg_pool{}d")
ADAPTIVE_AVG_POOLS = list_dimensions("adaptive_avg_pool{}d")
POOLS = (
    *AVG_POOLS,
    *ADAPTIVE_AVG_POOLS,
    *list_dimensions("max_pool{}d"),
    *list_dimensions("adaptive_max_pool{}d"),
)
MATRIX_PRODUCTS = ("matmul", "mm", "bmm", "addmm", "baddbmm")

BATCH_NORMS = list_dimensions("BatchNorm{}d")
INSTANCE_NORMS = list_dimensions("InstanceNorm{}d")


def charge_ops(ops: Iterable[str], **prices: int) -> dict[str, dict[str, int]]:
    """Charge the same prices for several ops.

    >>> charge_ops(["mm", "bmm"], macs=1)
    {'mm': {'macs': 1}, 'bmm': {'macs': 1}}
    """
    return {op: dict(prices) for op in ops}
