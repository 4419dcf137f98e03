"""Messages over a pipe, each with its length in front."""

from typing import BinaryIO

__all__ = ["read_frame", "write_frame"]

_LENGTH = 8


def write_frame(stream: BinaryIO, content: bytes) -> None:
    """Write one message.

    Raises:
        OSError: the other end has gone.
    """
    stream.write(len(content).to_bytes(_LENGTH, "big") + content)
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes | None:
    """Read one message; None if the other end has gone, in the midst of one or not."""
    header = stream.read(_LENGTH)
    if len(header) < _LENGTH:
        return None
    length = int.from_bytes(header, "big")
    content = stream.read(length)
    return content if len(content) == length else None
