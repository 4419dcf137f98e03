"""The head of a GGUF file, in which llama.cpp keeps weights."""

from pathlib import Path
from typing import IO

from resflops.sources.checkpoints.pickled import NotRead

__all__ = ["read_architecture"]

_TEXT = 8
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value, by the number of its type; texts and lists say their lengths."""
_MOST_TEXT = 1 << 20


def read_architecture(path: Path) -> tuple[str, int]:
    """Read the name of the architecture, ``""`` if it does not come early, and the number of tensors.

    Raises:
        NotRead: the file is cut off.
    """
    with path.open("rb") as file:
        file.read(8)
        tensors, entries = _read_number(file, 8), _read_number(file, 8)
        for _ in range(min(entries, 64)):
            key, kind = _read_text(file), _read_number(file, 4)
            if kind == _TEXT:
                text = _read_text(file)
                if key == "general.architecture":
                    return text, tensors
            elif kind in _SIZES:
                file.read(_SIZES[kind])
            else:
                break
    return "", tensors


def _read_number(file: IO[bytes], size: int) -> int:
    data = file.read(size)
    if len(data) < size:
        raise NotRead("its head is not complete")
    return int.from_bytes(data, "little")


def _read_text(file: IO[bytes]) -> str:
    length = _read_number(file, 8)
    if length > _MOST_TEXT:
        raise NotRead("its head has no sensible length")
    return file.read(length).decode(errors="replace")
