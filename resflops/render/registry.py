"""Where formats are registered, and where they are looked up."""

from collections.abc import Callable
from pathlib import PurePath

from msgspec import Struct

from resflops.errors import DuplicateError, UsageError, near
from resflops.tables import Table

__all__ = ["PAPER", "RENDERERS", "Renderer", "Screen", "format_of", "renderer", "rendering"]


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

    def render(self, table: Table, *, on: Screen = PAPER) -> str:
        """The table as text that ends in a newline."""
        return self.function(table, on)


RENDERERS: dict[str, Renderer] = {}


def renderer(name: str, *suffixes: str) -> Callable[[Render], Render]:
    """Register a function as the renderer of a format.

    Args:
        name: what ``--format`` calls it.
        suffixes: endings of file names that mean it, such as ``.md``.

    Raises:
        DuplicateError: the name or a suffix is taken.
    """

    def register(function: Render) -> Render:
        taken = {suffix for other in RENDERERS.values() for suffix in other.suffixes}
        for claimed in (name, *suffixes):
            if claimed in RENDERERS or claimed in taken:
                raise DuplicateError(f"a format named {claimed!r} exists already; choose another name")
        RENDERERS[name] = Renderer(name=name, suffixes=suffixes, function=function)
        return function

    return register


def rendering(name: str) -> Renderer:
    """The format of that name.

    Raises:
        UsageError: there is none.
    """
    try:
        return RENDERERS[name]
    except KeyError:
        raise UsageError(
            f"no format named {name!r}{near(name, RENDERERS)}; there are: {', '.join(RENDERERS)}"
        ) from None


def format_of(path: str) -> str | None:
    """The format that a file's name asks for by its ending, if any.

    >>> format_of("costs.tex"), format_of("costs.xyz")
    ('latex', None)
    """
    suffix = PurePath(path).suffix.lower()
    return next((each.name for each in RENDERERS.values() if suffix in each.suffixes), None)
