"""The options of commands that also draw a picture and write a page."""

from functools import partial

from resflops.cli.arguments import read_file_name
from resflops.cli.parser import Parser

__all__ = ["add_page", "add_picture"]

_PICTURE_ENDINGS = (".svg", ".png", ".pdf")
_PAGE_ENDINGS = (".html", ".htm")


def add_picture(parser: Parser, *, text: str, dark: str = "") -> None:
    """Add the option that draws a picture.

    Args:
        parser: the parser of the command.
        text: what it draws, for the help.
        dark: the help of ``--dark``; ``""`` for a command whose pictures are light alone.
    """
    parser.add_argument(
        "--picture",
        metavar="FILE",
        type=partial(read_file_name, "--picture", _PICTURE_ENDINGS),
        help=f"{text}: .svg, .png or .pdf",
    )
    if dark:
        parser.add_argument("--dark", action="store_true", help=dark)


def add_page(parser: Parser, *, text: str) -> None:
    """Add the option that writes a page; the help says that it works offline."""
    parser.add_argument(
        "--html",
        metavar="FILE",
        type=partial(read_file_name, "--html", _PAGE_ENDINGS),
        help=f"{text}, which works offline",
    )
