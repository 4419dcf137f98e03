"""Reading an ONNX file without its weights, which are most of it: their elements are skipped on the disk.

A message of protobuf is a row of fields: for each a number that says which field it is, and of which of a few
kinds, and then its value. A value that is a message or a text begins with its length.
"""

from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["SMALL", "MalformedFileError", "skim"]

SMALL = 1 << 16
"""How many bytes of elements an initialiser may have that is kept whole: those that give shapes are small."""

GRAPH, INITIALISER = 7, 5
"""The field of a model that is its graph, and that of a graph that is an initialiser."""

ELEMENTS = frozenset((4, 5, 7, 9, 10, 11))
"""The fields of a tensor that are its elements, by their types or as bytes."""

VARINT, LENGTH = 0, 2
"""The kinds of fields that have no width of their own."""

WIDTHS = {1: 8, 5: 4}
"""The bytes of a value, by the other kinds of fields."""


class MalformedFileError(Exception):
    """A file is no message of protobuf, is cut off, or has fields of a kind that ONNX does not use."""


def skim(file: BinaryIO, size: int) -> bytes:
    """Copy the message of a file without the elements of large initialisers.

    Args:
        file: the file, at its beginning.
        size: how many bytes it has.

    Raises:
        MalformedFileError: it cannot be read in this way.
    """
    return b"".join(_copy(file, size, (GRAPH, INITIALISER)))


def _copy(file: BinaryIO, size: int, path: tuple[int, ...]) -> Iterator[bytes]:
    """Copy a message of some bytes; the path leads through its fields to tensors, whose elements stay out."""
    left = size
    while left > 0:
        tag = _read_varint(file)
        field, kind = divmod(_decode(tag), 8)
        left -= len(tag)
        if kind == LENGTH:
            length = _read_varint(file)
            count = _decode(length)
            left -= len(length) + count
            if left < 0:
                break
            if count > SMALL and not path and field in ELEMENTS:
                file.seek(count, 1)
            elif count > SMALL and path and field == path[0]:
                inner = b"".join(_copy(file, count, path[1:]))
                yield tag + _encode(len(inner)) + inner
            else:
                yield tag + length + _read(file, count)
        else:
            value = _read_varint(file) if kind == VARINT else _read(file, _find_width(kind))
            left -= len(value)
            yield tag + value
    if left:
        raise MalformedFileError


def _find_width(kind: int) -> int:
    if kind not in WIDTHS:
        raise MalformedFileError
    return WIDTHS[kind]


def _read(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise MalformedFileError
    return data


def _read_varint(file: BinaryIO) -> bytes:
    """Read a number of one to ten bytes, of which all but the last have their highest bit set."""
    data = first = _read(file, 1)
    while first >= b"\x80":
        if len(data) == 10:
            raise MalformedFileError
        first = _read(file, 1)
        data += first
    return data


def _decode(varint: bytes) -> int:
    number = 0
    for place, byte in enumerate(varint):
        number |= (byte & 0x7F) << (7 * place)
    return number


def _encode(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)
