"""The formula column: an op's cost written out as a product of its sizes."""

from math import prod

from resflops.cost.convention import Prices
from resflops.ops import OPS
from resflops.records import OpRecord, Work

__all__ = ["format_formula"]


def format_formula(record: OpRecord, work: Work, prices: Prices, *, price: int, calls: int) -> str:
    """Write a layer's total as the product of its sizes.

    The points of the output stand before the brackets, and what each point takes inside them:
    ``56·56·64·(3·3·64) = 115,605,504``, or ``1000·(512 + 1) = 513,000`` under a convention that
    always counts a bias.

    Args:
        record: the op.
        work: its work.
        prices: the prices that hold for the op.
        price: its cost under them, of one call.
        calls: how many calls the row stands for.

    Returns:
        The equation, or ``""`` for an op that costs nothing under the convention.
    """
    if not price:
        return ""
    outer, inner = _split_into_factors(record, work, prices, price)
    sides = (*([calls] if calls > 1 else []), *outer)
    text = "·".join(map(str, sides))
    if inner:
        text = f"{text}·{inner}" if text else inner
    return f"{text} = {price * calls:,}"


def _split_into_factors(
    record: OpRecord, work: Work, prices: Prices, price: int
) -> tuple[tuple[int, ...], str]:
    """Split a price into the factors before the brackets, and the text after them."""
    declared = OPS.get(record.op)
    unit = prices.get("macs", 0)
    if declared is None or declared.factors is None or not unit or not work.macs:
        return _divide_evenly(record, price)
    points, taps = declared.factors(record)
    rest = price - unit * work.macs
    count = prod(points)
    # A complex multiply-accumulate is several real ones.
    parts = work.macs // (count * prod(taps)) if count and prod(taps) else 1
    taps = (*((parts,) if parts > 1 else ()), *taps)
    product = "·".join(map(str, ((unit,) if unit > 1 else ()) + taps))
    if not rest:
        return points, f"({product})" if len(taps) > 1 or unit > 1 else product
    # A rest that divides evenly, such as a bias, belongs to each point; any other is added at the end.
    if rest % count == 0:
        return points, f"({product} + {rest // count})"
    return (), f"({'·'.join(map(str, points))}·({product}) + {rest})"


def _divide_evenly(record: OpRecord, price: int) -> tuple[tuple[int, ...], str]:
    """Divide a price evenly among the elements of the output, if it divides."""
    shape = record.output_shape
    points = prod(shape)
    if points and price % points == 0:
        each = price // points
        sizes = tuple(size for size in shape if size != 1) or (1,)
        return ((each,) if each > 1 else ()) + sizes, ""
    return (), str(price)
