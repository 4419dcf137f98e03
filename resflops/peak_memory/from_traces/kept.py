"""What one op keeps for its gradient, and takes beside its outputs."""

from msgspec import Struct

__all__ = ["Kept"]


class Kept(Struct, frozen=True):
    """What an op keeps and takes."""

    operands: tuple[int, ...] = ()
    """The places of the operands that it keeps."""
    outputs: tuple[int, ...] = ()
    """The places of the outputs that it keeps."""
    hidden: tuple[int, ...] = ()
    """Bytes of what it takes beside its outputs, and keeps if a gradient is needed."""
    passing: tuple[int, ...] = ()
    """Bytes of what it takes beside its outputs, and releases."""
    backward: tuple[int, ...] = ()
    """Bytes of what its gradient takes beside those of the operands, and releases."""
    known: bool = True
    """Whether a rule covers it."""
