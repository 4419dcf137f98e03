"""The user's cache: a folder of small files, each a trace or a list of names, under the digest of its key.

Nothing here is ever in the way of a count: what cannot be read, is damaged, belongs to another key, or lies
where others can write, is not there; and what cannot be written is not written. Others must not be able to
write to it, since a figure that somebody else has put there would look like a count.
"""

import hashlib
import os
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from resflops.errors import FileError
from resflops.storage.writing import write_bytes

__all__ = [
    "LONGEST_AGE",
    "MOST_BYTES",
    "CacheSummary",
    "Entry",
    "clear_cache",
    "find_cache_folder",
    "read_entry",
    "summarize_cache",
    "write_entry",
]

VARIABLE = "RESFLOPS_CACHE"

MAGIC = b"resflops entry 1\n"

MOST_BYTES = 128 << 20
"""What the cache may take on the disk. A trace takes about 11 KB, all of timm 15 MB."""

LONGEST_AGE = 90 * 24 * 3600
"""For how many seconds an entry serves."""

LARGEST_ENTRY = 16 << 20
LARGEST_CONTENT = 512 << 20
"""The most bytes of a file, and of what it decompresses to; a trace of a thousand layers has six million."""

WRITES_BETWEEN = 500
"""After how many writes the limits are looked at again; looking takes some milliseconds."""

OWNER_ONLY = 0o700


class Entry(Struct, frozen=True, kw_only=True):
    """What a file holds; a subclass adds what is kept."""

    key: str
    """The key that it was written under, so that a file that was renamed is not taken for another."""
    stored_at: int
    """When, in seconds since 1970."""


Kind = TypeVar("Kind", bound=Entry)


class CacheSummary(Struct, frozen=True, kw_only=True):
    """What there is in the cache."""

    folder: Path | None
    """Where it is or would be; None if there is none."""
    entries: int = 0
    size: int = 0
    """In bytes."""
    problem: str = ""
    """Why it is not used."""


def find_cache_folder() -> Path | None:
    """Find the folder of the cache, which need not exist; None if the user wants none, or has no home."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return Path(os.path.abspath(given)) / "traces" if given not in {"", "0"} else None  # noqa: PTH100
    # Here, since the built-in networks need no cache.
    import platformdirs

    try:
        folder = platformdirs.user_cache_path("resflops", appauthor=False) / "traces"
    except (OSError, RuntimeError, KeyError, ValueError):
        return None
    # Without a home, a path may begin with "~" and would lead into the current folder.
    return folder if folder.is_absolute() else None


def read_entry(key: str, kind: type[Kind]) -> Kind | None:
    """Read the entry of a key; None if there is none that can be trusted."""
    folder = find_cache_folder()
    if folder is None or _find_problem(folder):
        return None
    try:
        entry = msgspec.msgpack.decode(_unpack(_read_own_file(_make_path(folder, key))), type=kind)
    # Whatever is wrong with a file: the model is counted, and the file is written again.
    except (OSError, ValueError, zlib.error, RecursionError, MemoryError):
        return None
    is_of_age = 0 <= time.time() - entry.stored_at <= LONGEST_AGE
    return entry if entry.key == key and is_of_age else None


def write_entry(entry: Entry) -> None:
    """Write an entry under its key, if that is possible."""
    folder = find_cache_folder()
    if folder is None:
        return
    path = _make_path(folder, entry.key)
    try:
        path.parent.parent.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        if _find_problem(folder):
            return
        path.parent.mkdir(mode=OWNER_ONLY, exist_ok=True)
        write_bytes(path, _pack(msgspec.msgpack.encode(entry)), mode=0o600)
        _keep_limits(folder)
    # A full disk, a home that is read-only or is a file: the count is done, and its figure is right.
    except (OSError, FileError, ValueError):
        return


def summarize_cache() -> CacheSummary:
    """Summarize what there is in the cache."""
    folder = find_cache_folder()
    if folder is None:
        off = VARIABLE in os.environ
        return CacheSummary(
            folder=None, problem=f"{VARIABLE} turns it off" if off else "there is no home folder"
        )
    sizes = [status.st_size for _, status in _list_entries(folder)]
    return CacheSummary(
        folder=folder, entries=len(sizes), size=sum(sizes), problem=_find_problem(folder, missing="")
    )


def clear_cache() -> int:
    """Remove all entries, and nothing else; give their number."""
    folder = find_cache_folder()
    removed = 0
    for path, _ in _list_entries(folder) if folder else ():
        with suppress(OSError):
            path.unlink()
            removed += 1
    return removed


def _make_path(folder: Path, key: str) -> Path:
    # A folder for each first two digits: writing a file looks through its folder for abandoned ones.
    return folder / key[:2] / key[2:]


def _find_problem(folder: Path, *, missing: str = "there is no such folder") -> str:
    """Find why a folder must not be used; ``""`` if it may be."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return missing
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a folder"
    return "" if _belongs_to_user(status) else "other users can write to it"


def _belongs_to_user(status: os.stat_result) -> bool:
    """Whether a file or folder is this user's, and nobody else can write to it."""
    # On Windows a home folder is its user's alone, and modes say nothing.
    if not hasattr(os, "geteuid"):
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _read_own_file(path: Path) -> bytes:
    # No link, and without waiting for whoever might write into a pipe.
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or not _belongs_to_user(status) or status.st_size > LARGEST_ENTRY:
            raise ValueError("it is not a file that only this user can write to")
        return file.read(LARGEST_ENTRY)


def _pack(content: bytes) -> bytes:
    compressed = zlib.compress(content, 6)
    return MAGIC + hashlib.sha256(compressed).digest() + compressed


def _unpack(data: bytes) -> bytes:
    """Unpack what ``_pack`` made.

    Raises:
        ValueError: it is damaged, or of another kind.
    """
    start = len(MAGIC) + hashlib.sha256().digest_size
    compressed = data[start:]
    if data[: len(MAGIC)] != MAGIC or data[len(MAGIC) : start] != hashlib.sha256(compressed).digest():
        raise ValueError("it is damaged or from another version")
    decompressor = zlib.decompressobj()
    content = decompressor.decompress(compressed, LARGEST_CONTENT)
    if not decompressor.eof:
        raise ValueError("it is incomplete or too large")
    return content


def _list_entries(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """List the files that are entries by their names."""
    for part in _scan(folder):
        if len(part.name) == 2 and part.is_dir(follow_symlinks=False):
            for entry in _scan(Path(part.path)):
                if len(entry.name) == 62 and not set(entry.name) - set("0123456789abcdef"):
                    with suppress(OSError):
                        yield Path(entry.path), entry.stat(follow_symlinks=False)


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        yield from entries


_writes = 0


def _keep_limits(folder: Path) -> None:
    """Remove what is too old, and the oldest of what is too much, after the first write and some others."""
    global _writes  # noqa: PLW0603 - how often this process has written
    _writes += 1
    if _writes % WRITES_BETWEEN != 1:
        return
    entries = sorted(_list_entries(folder), key=lambda entry: entry[1].st_mtime, reverse=True)
    left = MOST_BYTES
    for path, status in entries:
        left -= status.st_size
        if left < 0 or time.time() - status.st_mtime > LONGEST_AGE:
            with suppress(OSError):
                path.unlink()
