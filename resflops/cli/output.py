"""Where a command's table goes: to a file, whole or not at all, or to the standard output."""

import argparse
import os
import shutil
import sys

from resflops.render import PAPER, Screen, format_of, rendering
from resflops.storage import write_text
from resflops.tables import Table

__all__ = ["say", "write"]


def write(table: Table, given: argparse.Namespace, *, of_checks: bool = False) -> None:
    """Render a table as the arguments ask and write it where they say."""
    asked = given.format or (format_of(given.out, of_checks=of_checks) if given.out else None)
    chosen = rendering(asked or "terminal", of_checks=of_checks)
    if given.out:
        write_text(given.out, chosen.render(table, on=PAPER))
    elif sys.stdout is not None:
        _write_to_stdout(chosen.render(table, on=_screen()))


def say(sentence: str) -> None:
    """Write one line to the standard output."""
    if sys.stdout is not None:
        _write_to_stdout(f"{sentence}\n")


def _write_to_stdout(text: str) -> None:
    # A locale without × or ⁹ gets a question mark there rather than no table.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def _screen() -> Screen:
    """A terminal's width and whether it wants colours (no-color.org); anything else is paper."""
    if not sys.stdout.isatty():
        return PAPER
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Screen(width=shutil.get_terminal_size().columns, colour=colour)
