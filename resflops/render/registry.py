"""Registers formats, and finds them by name or by the ending of a file."""

from collections.abc import Callable
from pathlib import PurePath

from msgspec import Struct

from resflops.errors import DuplicateError, UsageError, suggest
from resflops.extensions import find_origin, load_extensions
from resflops.tables import Table

__all__ = [
    "CHECK_RENDERERS",
    "PAPER",
    "RENDERERS",
    "Renderer",
    "Screen",
    "find_format",
    "find_renderer",
    "list_formats",
    "renderer",
]


class Screen(Struct, frozen=True, kw_only=True):
    """What a text will be read on."""

    width: int | None = None
    """In characters; None where there is no edge, as in a file or a pipe."""
    colour: bool = False


PAPER = Screen()
"""A file or a pipe: as wide as need be, and no colours."""

Render = Callable[[Table, Screen], str]


class Renderer(Struct, frozen=True, kw_only=True):
    """A format, and the function that writes it."""

    name: str
    suffixes: tuple[str, ...]
    """Endings of the file names that mean this format."""
    function: Render
    origin: str = "resflops"
    """The distribution that it comes with."""

    def render(self, table: Table, *, on: Screen = PAPER) -> str:
        """Write a table as text that ends in a newline."""
        return self.function(table, on)


RENDERERS: dict[str, Renderer] = {}
"""The formats of any table."""

CHECK_RENDERERS: dict[str, Renderer] = {}
"""The formats in which other tools read what was checked; other tables cannot be written in them."""


def renderer(name: str, *suffixes: str, of_checks: bool = False) -> Callable[[Render], Render]:
    """Register a function as the renderer of a format.

    Args:
        name: what ``--format`` calls it.
        suffixes: endings of file names that mean it, such as ``.md``.
        of_checks: whether it writes only what was checked.

    Raises:
        DuplicateError: the name or a suffix is taken.
    """

    def register(function: Render) -> Render:
        known = list_formats(of_checks=True)
        taken = {suffix for other in known.values() for suffix in other.suffixes}
        for claimed in (name, *suffixes):
            if claimed in known or claimed in taken:
                raise DuplicateError(f"a format named {claimed!r} exists already; choose another name")
        (CHECK_RENDERERS if of_checks else RENDERERS)[name] = Renderer(
            name=name, suffixes=suffixes, function=function, origin=find_origin()
        )
        return function

    return register


def list_formats(*, of_checks: bool = False) -> dict[str, Renderer]:
    """List the formats of any table, with those of checks or without."""
    return {**RENDERERS, **CHECK_RENDERERS} if of_checks else RENDERERS


def find_renderer(name: str, *, of_checks: bool = False) -> Renderer:
    """Find the format of a name, in upper or lower case; the ending of its files is one, too.

    >>> find_renderer("md").name, find_renderer("LaTeX").name
    ('markdown', 'latex')

    Args:
        name: as ``--format`` has it.
        of_checks: whether there is a table with checks to write.

    Raises:
        UsageError: there is no format of that name.
    """
    found = _match_format(name, of_checks=of_checks)
    if found is None:
        _load_more_formats()
        found = _match_format(name, of_checks=of_checks)
    if found is None:
        known = list_formats(of_checks=of_checks)
        raise UsageError(f"no format named {name!r}{suggest(name, known)}; available: {', '.join(known)}")
    return found


def _match_format(name: str, *, of_checks: bool) -> Renderer | None:
    known, lowered = list_formats(of_checks=of_checks), name.lower()
    ending = f".{lowered.removeprefix('.')}"
    return known.get(lowered) or next((each for each in known.values() if ending in each.suffixes), None)


def _load_more_formats() -> None:
    """Load the formats of other distributions, when a name or an ending is not found."""
    load_extensions("resflops.formats", RENDERERS, CHECK_RENDERERS)


def find_format(path: str, *, of_checks: bool = False) -> str | None:
    """Find the format that a file's name asks for by its ending; None if it asks for none.

    >>> find_format("costs.tex"), find_format("costs.xyz")
    ('latex', None)
    >>> find_format("x.xml"), find_format("x.xml", of_checks=True)
    (None, 'junit')
    """
    suffix = PurePath(path).suffix.lower()
    if not any(suffix in each.suffixes for each in list_formats(of_checks=True).values()):
        _load_more_formats()
    known = list_formats(of_checks=of_checks).values()
    return next((each.name for each in known if suffix in each.suffixes), None)
