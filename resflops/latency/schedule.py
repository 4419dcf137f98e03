"""How long is measured, and in what order."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from msgspec import Struct

__all__ = ["Effort", "order_visits"]

Key = TypeVar("Key")


class Effort(Struct, frozen=True, kw_only=True):
    """How long each configuration is measured."""

    rounds: int = 7
    """Rounds at least."""
    most_rounds: int | None = None
    """Rounds at most, of what is not as precise as asked for; None for no more than the least."""
    precision: float | None = None
    """The half-width of the interval, relative to the median, at which a configuration leaves the rounds."""
    discarded: int = 1
    """Rounds at the start of a run whose samples are not kept: a process is slow at first, for longer than
    the warm-up of one configuration lasts."""
    warm_up: float = 0.2
    """Seconds of warm-up in every round, and two runs at least."""
    seconds: float = 0.3
    """Seconds of samples in every round."""
    least: int = 3
    """Samples in a round, however long one takes."""
    most: int = 100
    """Samples in a round, however short one is: more would tell little, and files would grow."""
    energy_seconds: float = 3.0
    """The window over which energy is measured: NVML's counter moves some ten times a second;
    0 for no measurement."""
    budget: float = 0.0
    """Seconds after which nothing more is begun; 0 for no limit."""

    def list_rounds(self) -> range:
        """List the numbers of the rounds at most."""
        return range(max(self.rounds, self.most_rounds or 0))

    def find_unlike(self, other: "Effort") -> list[str]:
        """Find what differs between samples of two efforts, so that one series cannot hold both."""
        return [
            name
            for name in ("warm_up", "seconds", "least", "most")
            if getattr(self, name) != getattr(other, name)
        ]

    def choose_repetitions(self, pace: float) -> int:
        """Choose how many samples a round takes.

        >>> effort = Effort(seconds=0.3, least=3)
        >>> effort.choose_repetitions(0.02), effort.choose_repetitions(2.0)
        (15, 3)

        Args:
            pace: seconds that one run took in the warm-up.
        """
        # A clock with coarse ticks may see a short run take no time at all.
        return min(max(round(self.seconds / pace) if pace > 0 else self.most, self.least), self.most)


def order_visits(keys: Sequence[Key], number: int) -> Iterator[Key]:
    """Order the visits of one round: to and fro, so that a steady drift hits all alike.

    >>> [list(order_visits("ABC", number)) for number in range(2)]
    [['A', 'B', 'C'], ['C', 'B', 'A']]
    """
    return iter(keys) if number % 2 == 0 else reversed(keys)
