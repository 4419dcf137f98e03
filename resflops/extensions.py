"""What other distributions add to resflops by entry points, and where each addition comes from.

A distribution names a module of its own in its metadata, in one of the groups of :data:`GROUPS`::

    [project.entry-points."resflops.ops"]
    mylib = "mylib.resflops_ops"

Importing the module adds things: it declares ops (``resflops.ops.op``) or registers counters
(``register_peer`` and ``adapter``), sources (``resflops.sources.register``) or formats
(``resflops.render.renderer``). resflops' own modules are loaded first and in the same way, so that a module
of a lower layer never imports one of a higher layer. A module that cannot be imported is reported by its
name and harms nothing.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from typing import Any

from msgspec import Struct

from resflops.errors import UsageError, describe_error

__all__ = [
    "BROKEN",
    "DISPLAYS",
    "GROUPS",
    "Broken",
    "Extension",
    "find_display",
    "find_origin",
    "load_extensions",
]

OWN = "resflops"

GROUPS: dict[str, tuple[str, ...]] = {
    "resflops.ops": (),
    "resflops.counters": ("resflops.counters",),
    "resflops.sources": (),
    "resflops.formats": (),
    "resflops.displays": ("resflops.integrations.notebook",),
}
"""The groups, each with the modules of resflops itself that are loaded first."""


class Extension(Struct, frozen=True, kw_only=True):
    """A module that another distribution adds."""

    group: str
    name: str
    module: str
    distribution: str


class Broken(Struct, frozen=True, kw_only=True):
    """An extension that could not be loaded."""

    extension: Extension
    reason: str


BROKEN: list[Broken] = []
"""The extensions that could not be loaded so far; tables of what there is list them in a note."""

_LOADED: set[str] = set()

_ORIGIN: ContextVar[str] = ContextVar("origin", default=OWN)


@contextmanager
def _set_origin(distribution: str) -> Iterator[None]:
    token = _ORIGIN.set(distribution)
    try:
        yield
    finally:
        _ORIGIN.reset(token)


def find_origin() -> str:
    """Find the distribution whose module is being loaded; resflops itself if none is."""
    return _ORIGIN.get()


def load_extensions(group: str, *tables: dict[Any, Any]) -> None:
    """Load the modules of a group, once in a process.

    Args:
        group: one of ``GROUPS``.
        tables: where its modules register things. If a module fails, what it has registered so far is taken
            out again.

    Raises:
        UsageError: there is no such group.
    """
    if group not in GROUPS:
        raise UsageError(f"no group of extensions named {group!r}; available: {', '.join(GROUPS)}")
    if group in _LOADED:
        return
    # Before the imports: a module of the group may ask for the group itself.
    _LOADED.add(group)
    for module in GROUPS[group]:
        import_module(module)
    for extension in _find_extensions(group):
        before = [dict(table) for table in tables]
        try:
            with _set_origin(extension.distribution):
                import_module(extension.module)
        except Exception as error:  # noqa: BLE001 - whatever another's module raises is a result
            for table, kept in zip(tables, before, strict=True):
                table.clear()
                table.update(kept)
            broken = Broken(extension=extension, reason=describe_error(error))
            BROKEN.append(broken)
            import logging

            logging.getLogger(__name__).warning(
                "%s: the extension %s of the distribution %s could not be loaded: %s",
                group, extension.name, extension.distribution, broken.reason,
            )  # fmt: skip


@cache
def _list_entry_points() -> Any:  # noqa: ANN401 - its type depends on the version of Python
    # Importing this takes twenty milliseconds, and looking through what is installed some ten more.
    from importlib import metadata

    return metadata.entry_points()


@cache
def _read_entry_points() -> bytes | None:
    """Read the entry points of all that is installed; None if only importlib.metadata finds them all.

    Most often there is no extension, and to see that from the files takes a tenth of the time.
    """
    own_finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    if own_finders != [PathFinder]:
        return None
    texts: list[bytes] = []
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or os.curdir)  # noqa: PTH208 - a Path for each name takes longer
        except NotADirectoryError:
            return None
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")) or name == "EGG-INFO":
                with suppress(OSError), open(f"{folder or os.curdir}/{name}/entry_points.txt", "rb") as file:  # noqa: PTH123
                    texts.append(file.read())
    return b"\n".join(texts)


def _find_extensions(group: str) -> list[Extension]:
    """Find the extensions of other distributions, in an order that does not depend on the file system."""
    texts = _read_entry_points()
    if texts is not None and group.encode() not in texts:
        return []
    found = [
        Extension(
            group=group,
            name=point.name,
            module=point.module,
            distribution=point.dist.name if point.dist else "?",
        )
        for point in _list_entry_points().select(group=group)
    ]
    return sorted(found, key=lambda extension: (extension.distribution, extension.name))


DISPLAYS: dict[str, Callable[..., Any]] = {}
"""The displays by their names: ``html`` and ``text`` of any value, ``format`` of a table in any format,
``table`` of a value's rows, ``summary`` and ``plot`` of a cost, ``memory`` and ``timeline`` of a memory."""


def find_display(name: str) -> Callable[..., Any]:
    """Find what displays a value in a way, such as a notebook's.

    A value never imports what displays it, since that lies in a higher layer.
    """
    load_extensions("resflops.displays")
    return DISPLAYS[name]
