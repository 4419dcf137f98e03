"""What a peer answers when it is asked for its figures, and by which function it is asked."""

from importlib import import_module
from typing import Any

from msgspec import Struct

from resflops.counters import Peer
from resflops.errors import UsageError

__all__ = ["Answer", "import_ask", "to_integer"]


class Answer(Struct, frozen=True, kw_only=True):
    """The figures that a peer gives for one model."""

    figures: dict[str, int]
    """The figure under each convention, by the convention's name."""
    params: int | None = None
    """The number of parameters; None if the peer counts none."""
    non_op_charges: dict[str, int] = {}
    """What the peer charged for things that are no op of the model, by cause."""
    by_layer: dict[str, int] = {}
    """What the peer charged for layers that it charges as a whole, whichever ops run in them."""


def to_integer(figure: float) -> int:
    """Convert a figure that a peer gives as a float, without rounding it.

    Raises:
        ValueError: it has a fraction.
    """
    if figure != int(figure):
        raise ValueError(f"the figure {figure!r} is not a whole number")
    return int(figure)


def import_ask(peer: Peer) -> Any:  # noqa: ANN401 - what it takes depends on what the peer takes
    """Import the function that a peer names as the one that asks it.

    Raises:
        UsageError: it names none.
    """
    module, colon, function = peer.ask.partition(":")
    if not colon:
        raise UsageError(
            f"the peer {peer.name!r} of the distribution {peer.origin} cannot be run: it has no adapter; "
            "register one, or give the peer ask='package.module:function'"
        )
    return getattr(import_module(module), function)
