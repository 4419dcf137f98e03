"""What a figure was made from: all that its process read or looked for among the files of the commit.

Where all of that is the same at another commit, the process would do the same there, and the figure is the
same. This holds in whatever way a model names what it reads: modules by names that it computes, data files,
files that it only asks for, and folders that it lists. What cannot be seen makes the figure that of its
commit alone.
"""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from resflops.gate.history.file_tree import FileTree

__all__ = ["Reads", "Recorded", "is_current", "matches", "resolve_reads"]


class Recorded(Struct, frozen=True, kw_only=True):
    """What a process has read or looked for."""

    files: tuple[str, ...] = ()
    """The paths that it opened or asked about, from the top folder of the commit."""
    folders: tuple[str, ...] = ()
    """The folders that it listed."""
    modules: tuple[tuple[str, str], ...] = ()
    """The folders in which it looked for modules, each with a name that it looked for."""
    outside: tuple[str, ...] = ()
    """The paths of what it read elsewhere, without what is installed."""
    unknown: str = ""
    """Why it may have read anything; ``""`` if it has not."""


class Reads(Struct, frozen=True, kw_only=True):
    """What a figure was made from, with what was there."""

    tree: str
    """The hash of all files of the commit."""
    files: Mapping[str, str]
    folders: Mapping[str, tuple[str, ...]]
    modules: Mapping[str, Mapping[str, tuple[str, ...]]]
    """The folders in which modules were looked for, each with the names and what was there of such names."""
    always: Mapping[str, str]
    """The files that are taken to be read in any case."""
    outside: Mapping[str, tuple[int, int]]
    """The size and the time of the files elsewhere."""
    unknown: str


def resolve_reads(recorded: Recorded, tree: FileTree) -> Reads:
    """Look up what there was of what a process has read.

    Args:
        recorded: what it has read or looked for.
        tree: the files of its commit.
    """
    modules: dict[str, dict[str, tuple[str, ...]]] = {}
    for folder, name in recorded.modules:
        modules.setdefault(folder, {})[name] = tree.list_modules(folder, name)
    return Reads(
        tree=tree.digest,
        files={path: tree.describe(path) for path in recorded.files},
        folders={folder: tree.list_names(folder) for folder in recorded.folders},
        modules=modules,
        always=tree.always_read,
        outside={path: state for path in recorded.outside if (state := _look_outside(path))},
        unknown=recorded.unknown,
    )


def matches(reads: Reads, tree: FileTree) -> bool:
    """Whether a process would read the same at a commit with these files."""
    return reads.tree == tree.digest or (
        not reads.unknown
        and all(tree.describe(path) == state for path, state in reads.files.items())
        and reads.always == tree.always_read
        and all(tree.list_names(folder) == names for folder, names in reads.folders.items())
        and all(
            tree.list_modules(folder, name) == found
            for folder, names in reads.modules.items()
            for name, found in names.items()
        )
    )


def is_current(reads: Reads) -> bool:
    """Whether what a process has read outside of its commit is still the same."""
    return all(_look_outside(path) == state for path, state in reads.outside.items())


def _look_outside(path: str) -> tuple[int, int] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
