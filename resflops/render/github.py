"""Annotations of GitHub Actions, which it shows beside the line that sets the limit."""

from resflops.errors import escape_control_characters
from resflops.render.formats import format_note
from resflops.render.registry import Screen, renderer
from resflops.tables import Check, Table

__all__ = ["render_github"]

COMMANDS = {"error": "error", "failed": "error", "better": "notice"}


@renderer("github", of_checks=True)
def render_github(table: Table, screen: Screen) -> str:
    """Write a workflow command for each check that failed or did better than asked, then the title."""
    del screen
    lines = [_format_command(check) for check in table.checks if check.outcome in COMMANDS]
    stored = [escape_command(format_note(note)) for note in table.notes if note.of_checks]
    return "".join(f"{line}\n" for line in [*lines, escape_command(table.title), *stored])


def _format_command(check: Check) -> str:
    place = f"file={_escape_property(check.path)},line={check.line}," if check.path else ""
    text = escape_command("\n".join(map(format_note, check.notes)))
    title = _escape_property(f"{check.subject}: {check.name}")
    return f"::{COMMANDS[check.outcome]} {place}title={title}::{text}"


def escape_command(text: str) -> str:
    r"""Escape text so that it cannot end the command that it stands in.

    >>> escape_command("18 %\n::error::x")
    '18 %25%0A::error::x'
    """
    # The percent sign first: the other escapes begin with one. A return is shown as any control character.
    return escape_control_characters(text).replace("%", "%25").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return escape_command(text).replace(":", "%3A").replace(",", "%2C")
