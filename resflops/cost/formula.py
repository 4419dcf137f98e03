"""The formula column: one op's cost as the product that it is, with the numbers put in."""

from math import prod

from resflops.cost.convention import Prices
from resflops.ops import OPS
from resflops.records import OpRecord, Work

__all__ = ["formula"]


def formula(record: OpRecord, work: Work, prices: Prices, *, price: int, calls: int) -> str:
    """What a layer's total is the product of.

    The points of the output stand before the brackets, what each point takes inside:
    ``56·56·64·(3·3·64) = 115,605,504``, and with a bias always counted
    ``1000·(512 + 1) = 513,000``.

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
    outer, inner = _terms(record, work, prices, price)
    sides = (*([calls] if calls > 1 else []), *outer)
    text = "·".join(map(str, sides))
    if inner:
        text = f"{text}·{inner}" if text else inner
    return f"{text} = {price * calls:,}"


def _terms(record: OpRecord, work: Work, prices: Prices, price: int) -> tuple[tuple[int, ...], str]:
    """The factors before the brackets, and what stands after them."""
    known = OPS.get(record.op)
    unit = prices.get("macs", 0)
    if known is None or known.factors is None or not unit or not work.macs:
        return _even_share(record, price)
    points, taps = known.factors(record)
    rest = price - unit * work.macs
    count = prod(points)
    product = "·".join(map(str, ((unit,) if unit > 1 else ()) + taps))
    if not rest:
        return points, f"({product})" if len(taps) > 1 or unit > 1 else product
    if rest % count == 0:
        return points, f"({product} + {rest // count})"
    return (), f"({'·'.join(map(str, points))}·({product}) + {rest})"


def _even_share(record: OpRecord, price: int) -> tuple[tuple[int, ...], str]:
    """So much per element of the output, if the cost divides evenly among them."""
    shape = record.output_shape
    points = prod(shape)
    if points and price % points == 0:
        each = price // points
        sizes = tuple(size for size in shape if size != 1) or (1,)
        return ((each,) if each > 1 else ()) + sizes, ""
    return (), str(price)
