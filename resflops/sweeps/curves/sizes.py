"""How the size of a feature map depends on the size of the input: ``⌈side/32⌉``.

A convolution or a pooling with a stride gives ``⌊(n + 2p - k)/s⌋ + 1``, and such a function of such a
function is again one: whatever a network does with strides, each size is ``⌊(n + shift)/divisor⌋``.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from resflops.sweeps.curves.polynomials import Number

__all__ = ["Size", "find_size"]


class Size(Struct, frozen=True, order=True):
    """The function ``⌊(n + shift)/divisor⌋`` of the variable n."""

    divisor: int = 1
    shift: int = 0

    def evaluate(self, value: Number) -> Number:
        """Give its value.

        >>> [Size(32, 31).evaluate(side) for side in (1, 32, 33)]
        [1, 1, 2]
        """
        return value + self.shift if self.divisor == 1 else (value + self.shift) // self.divisor


def find_size(values: Sequence[int], results: Sequence[int]) -> Size | None:
    """Find the function of which these are values, if there is one, the plainest where there are several.

    Strides are mostly two, so that powers of two are tried first, and what rounds up or down before anything
    is added.

    >>> find_size([1, 2, 3, 4, 5], [1, 1, 2, 2, 3])
    Size(divisor=2, shift=1)
    >>> find_size([1, 2, 3], [1, 4, 9]) is None
    True

    Args:
        values: those of the variable.
        results: those of the function, one for each.
    """
    candidates: list[Size] = []
    for divisor in _list_divisors(values, results):
        rests = [divisor * result - value for value, result in zip(values, results, strict=True)]
        least, most = max(rests), min(rests) + divisor - 1
        if least <= most:
            candidates += (Size(divisor, shift) for shift in _list_shifts(divisor, least, most))
    return min(candidates, key=_rank, default=None)


def _list_divisors(values: Sequence[int], results: Sequence[int]) -> Iterator[int]:
    """List the divisors with which the function can rise as far as it does."""
    pairs = sorted(zip(values, results, strict=True))
    width, rise = pairs[-1][0] - pairs[0][0], pairs[-1][1] - pairs[0][1]
    if rise < 1:
        return
    # Between two points it rises by width/divisor, give or take less than one.
    most = width // (rise - 1) if rise > 1 else 2 * pairs[-1][0]
    yield from range(max(width // (rise + 1), 1), most + 1)


def _list_shifts(divisor: int, least: int, most: int) -> set[int]:
    """List the plainest shifts between two: whole multiples of the divisor, one less, and the ends."""
    multiple, below = most - most % divisor, most - (most + 1) % divisor
    return {shift for shift in (least, most, multiple, below) if least <= shift <= most}


def _rank(size: Size) -> tuple[int, bool, int, int, int]:
    """Say how plain a size is: the less, the plainer.

    Strides are two, and what else a size is divided by, such as windows and patches, is small: so the odd
    part of a divisor comes first.
    """
    rest = size.shift % size.divisor
    is_rounded_up = rest == size.divisor - 1 and size.divisor > 1
    whole = size.shift // size.divisor + is_rounded_up
    odd_part = size.divisor // (size.divisor & -size.divisor)
    return odd_part, bool(rest) and not is_rounded_up, abs(whole), size.divisor, abs(size.shift)
