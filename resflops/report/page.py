"""What a page is: where it stands, what it needs, and what makes it."""

from collections.abc import Callable

from msgspec import Struct

from resflops.report.context import Context
from resflops.report.picture import Picture

__all__ = ["Document", "Page"]


class Document(Struct, frozen=True, kw_only=True):
    """One markdown file, with the pictures that it shows."""

    path: str
    """The path in the folder of the reports, with ``/``."""
    text: str
    pictures: tuple[Picture, ...] = ()


class Page(Struct, frozen=True, kw_only=True):
    """A page of the reports, as the index lists it."""

    path: str
    """The path of the file that the index points to."""
    title: str
    summary: str
    """What a reader finds there, as a sentence without its full stop."""
    build: Callable[[Context], tuple[Document, ...]]
    """The function that builds its documents, the one at ``path`` first."""
    data: str = ""
    """The pattern of the raw data without which there is no page; ``""`` for a page that needs none."""
    command: str = ""
    """The command that makes those raw data."""
