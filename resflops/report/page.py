"""What a page is: where it stands, what it needs, and what makes it."""

from collections.abc import Callable

from msgspec import Struct

from resflops.report.context import Context
from resflops.report.picture import Picture

__all__ = ["Document", "Page"]


class Document(Struct, frozen=True, kw_only=True):
    """One markdown file, with the pictures that it shows."""

    path: str
    """In the folder of the reports, with ``/``."""
    text: str
    pictures: tuple[Picture, ...] = ()


class Page(Struct, frozen=True, kw_only=True):
    """A page of the reports, and of the index."""

    path: str
    """Of the file that the index points to."""
    title: str
    summary: str
    """What a reader finds there, in one sentence without its full stop."""
    build: Callable[[Context], tuple[Document, ...]]
    """Makes its files, the one at ``path`` first."""
    data: str = ""
    """Pattern of the raw data without which there is no page; ``""`` for one that needs none."""
    command: str = ""
    """What makes those raw data."""
