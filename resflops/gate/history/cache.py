"""Keep what was counted in the user's cache, by the files of its commit and all else that decides it."""

import time

import msgspec
from msgspec import Struct

from resflops.gate.counting import name_versions
from resflops.gate.history.configurations import Subject
from resflops.gate.history.file_tree import FileTree
from resflops.gate.history.reads import Reads, is_current
from resflops.gate.snapshot import Snapshot
from resflops.sources.cache_key import find_surroundings, list_installed_folders, make_key
from resflops.sources.trace_cache import Entry, read_entry, write_entry

__all__ = ["Figure", "FigureCache"]


class Figure(Struct, frozen=True, kw_only=True):
    """What one model costs with certain files, or why it cannot be counted with them."""

    reads: Reads
    snapshot: Snapshot | None = None
    failure: str = ""


class _FigureEntry(Entry, frozen=True, kw_only=True):
    figure: Figure


class FigureCache:
    """The figures that were counted with what is installed now."""

    def __init__(self, *, fresh: bool = False) -> None:
        """Open it.

        Args:
            fresh: whether to take none from it, and only to write.
        """
        self._fresh = fresh
        # Without the folders of code that is not installed: of those, a figure knows what it was made from.
        self._surroundings = find_surroundings(path=list_installed_folders())
        self._versions = name_versions()

    def read(self, subject: Subject, tree: FileTree) -> Figure | None:
        """Read the figure of a model at a commit; None if it was not counted there."""
        entry = None if self._fresh else read_entry(self._make_key(subject, tree), _FigureEntry)
        return entry.figure if entry and is_current(entry.figure.reads) else None

    def write(self, figure: Figure, subject: Subject, tree: FileTree) -> None:
        """Write the figure of a model at a commit."""
        key = self._make_key(subject, tree)
        write_entry(_FigureEntry(key=key, stored_at=int(time.time()), figure=figure))

    def _make_key(self, subject: Subject, tree: FileTree) -> str:
        asked = msgspec.json.encode(subject).decode()
        return make_key("history", asked, tree.digest, self._versions, within=self._surroundings)
