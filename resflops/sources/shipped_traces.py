"""The traces of the built-in networks that ship with resflops: each on its usual input, in eval mode.

They are one file, which ``python tests/benchmarks/ship_traces.py`` makes. A short list of what is in it
stands before the traces, which are compressed as one stream, small ones first: together they take half the
bytes that they would take one by one, and reading one means decompressing what stands before it, which for
the usual networks is a millisecond. The tests hold each of them to the trace that is taken live.
"""

import hashlib
import lzma
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock

import msgspec
from msgspec import Struct

from resflops.records import SCHEMA_VERSION, Trace

__all__ = ["ARCHIVE", "ArchiveSummary", "Shipped", "pack_traces", "read_shipped_trace", "summarize_archive"]

ARCHIVE = "shipped_traces.bin"
"""The file, beside this module."""

_LENGTH = 4
"""Bytes in which the length of the list is written, before it."""


class _Place(Struct, frozen=True):
    """Where one trace stands in the decompressed stream, and its digest."""

    start: int
    end: int
    digest: str


class Shipped(Struct, frozen=True, kw_only=True):
    """The list at the head of the archive."""

    schema_version: int
    torch_version: str
    """The version of torch that made the traces."""
    places: dict[str, _Place]


class ArchiveSummary(Struct, frozen=True, kw_only=True):
    """What there is in the archive."""

    path: str
    traces: int = 0
    size: int = 0
    """In bytes."""
    torch_version: str = ""
    problem: str = ""
    """Why it is not used."""


def pack_traces(traces: Mapping[str, Trace]) -> bytes:
    """Pack the traces of networks, by their names, as an archive."""
    encoded = {name: msgspec.msgpack.encode(trace) for name, trace in traces.items()}
    places, stream = {}, b""
    for name, data in sorted(encoded.items(), key=lambda item: (len(item[1]), item[0])):
        places[name] = _Place(len(stream), len(stream) + len(data), _compute_digest(data))
        stream += data
    (torch_version,) = {trace.torch_version for trace in traces.values()}
    head = msgspec.json.encode(
        Shipped(schema_version=SCHEMA_VERSION, torch_version=torch_version, places=places)
    )
    compressed = lzma.compress(stream, preset=9 | lzma.PRESET_EXTREME)
    return len(head).to_bytes(_LENGTH, "big") + head + compressed


def read_shipped_trace(name: str) -> Trace | None:
    """Read the trace of a built-in network; None if the archive has none that can be trusted."""
    archive = _open_archive()
    place = archive.shipped.places.get(name) if archive else None
    if archive is None or place is None:
        return None
    try:
        data = archive.read(place)
        return msgspec.msgpack.decode(data, type=Trace) if _compute_digest(data) == place.digest else None
    # An installation may be damaged in any way; without the archive everything is counted all the same.
    except (lzma.LZMAError, EOFError, ValueError):
        return None


def summarize_archive() -> ArchiveSummary:
    """Summarize what there is in the archive."""
    file = _find_archive()
    archive = _open_archive()
    if archive is None:
        return ArchiveSummary(path=str(file), problem="it is missing or damaged; reinstall resflops")
    return ArchiveSummary(
        path=str(file),
        traces=len(archive.shipped.places),
        size=len(file.read_bytes()),
        torch_version=archive.shipped.torch_version,
    )


class _Archive:
    """The archive, decompressed as far as it has been asked for."""

    def __init__(self, content: bytes) -> None:
        end = _LENGTH + int.from_bytes(content[:_LENGTH], "big")
        self.shipped = msgspec.json.decode(content[_LENGTH:end], type=Shipped)
        self._rest = content[end:]
        self._decompressor = lzma.LZMADecompressor()
        self._read = b""
        # Several threads may count at once, and the decompressor goes through the file only once.
        self._lock = Lock()

    def read(self, place: _Place) -> bytes:
        """Decompress up to the end of a trace, and return it."""
        with self._lock:
            while len(self._read) < place.end:
                # Once it has all bytes of the file, the decompressor takes none and goes on.
                more = self._decompressor.decompress(self._rest, max_length=place.end - len(self._read))
                self._rest = b""
                if not more:
                    raise EOFError("the archive ends early")
                self._read += more
            return self._read[place.start : place.end]


def _find_archive() -> Path:
    # Not by importlib.resources, whose import takes longer than reading a trace.
    return Path(__file__).with_name(ARCHIVE)


@cache
def _open_archive() -> _Archive | None:
    try:
        archive = _Archive(_find_archive().read_bytes())
    except (OSError, ValueError):
        return None
    return archive if archive.shipped.schema_version == SCHEMA_VERSION else None


def _compute_digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
