"""The names that patterns are matched with, kept in the user's cache, since listing them takes an import."""

import time

from resflops.sources.cache_key import make_key
from resflops.sources.installed_code import runs_installed_code_alone
from resflops.sources.trace_cache import Entry, read_entry, write_entry

__all__ = ["STORED_PREFIXES", "find_stored_names", "store_names"]

STORED_PREFIXES = ("torchvision", "timm", "hf")
"""The sources whose names are worth storing, and follow from what is installed."""


class _NamesEntry(Entry, frozen=True, kw_only=True):
    names: list[str]


def find_stored_names(prefix: str) -> list[str] | None:
    """Find the names of all models of a source; None if they have to be listed."""
    if prefix not in STORED_PREFIXES or not runs_installed_code_alone():
        return None
    entry = read_entry(make_key("names", prefix), _NamesEntry)
    return entry.names if entry else None


def store_names(prefix: str, names: list[str]) -> None:
    """Store the names of all models of a source, if they serve again."""
    if prefix in STORED_PREFIXES and runs_installed_code_alone():
        write_entry(_NamesEntry(key=make_key("names", prefix), stored_at=int(time.time()), names=names))
