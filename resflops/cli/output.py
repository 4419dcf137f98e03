"""Write a command's table to a file, whole or not at all, or to standard output."""

import argparse
import os
import shutil
import sys

from resflops.cli.parser import STANDARD_OUTPUT
from resflops.cli.streams import write_output
from resflops.errors import escape_control_characters
from resflops.render import PAPER, Screen, find_format, find_renderer
from resflops.storage.writing import write_text
from resflops.tables import Table

__all__ = ["say", "write"]


def write(table: Table, args: argparse.Namespace, *, of_checks: bool = False) -> None:
    """Render a table in the format that the arguments ask for, and write it where they say."""
    if args.arrangement:
        from resflops.tables.arrangement import arrange_table

        table = arrange_table(table, args.arrangement)
    to_file = args.out and args.out != STANDARD_OUTPUT
    name = args.format or (find_format(args.out, of_checks=of_checks) if to_file else None)
    chosen = find_renderer(name or "terminal", of_checks=of_checks)
    if to_file:
        write_text(args.out, chosen.render(table, on=PAPER))
    elif sys.stdout is not None:
        write_output(chosen.render(table, on=_detect_screen()))


def say(sentence: str) -> None:
    """Write one line to standard output."""
    write_output(f"{escape_control_characters(sentence)}\n")


PIPE_WIDTH = 100
"""How wide a text is that goes into a pipe, and so most likely to a pager or a log."""


def _detect_screen() -> Screen:
    """Detect a terminal's width and whether it wants colours (no-color.org)."""
    if not sys.stdout.isatty():
        return Screen(width=shutil.get_terminal_size((PIPE_WIDTH, 0)).columns)
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Screen(width=shutil.get_terminal_size().columns, colour=colour)
