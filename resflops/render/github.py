"""Annotations of GitHub Actions, which it shows beside the line that sets the limit."""

from resflops.render.formats import sentence
from resflops.render.registry import Screen, renderer
from resflops.tables import Check, Table

__all__ = ["as_github"]

COMMANDS = {"failed": "error", "better": "notice"}


@renderer("github", of_checks=True)
def as_github(table: Table, screen: Screen) -> str:
    """A workflow command for each check that failed, or that did better than asked; then the title."""
    del screen
    lines = [_command(check) for check in table.checks if check.outcome in COMMANDS]
    return "".join(f"{line}\n" for line in [*lines, escaped(table.title)])


def _command(check: Check) -> str:
    place = f"file={_property(check.path)},line={check.line}," if check.path else ""
    text = escaped("\n".join(map(sentence, check.notes)))
    return f"::{COMMANDS[check.outcome]} {place}title={_property(f'{check.subject}: {check.name}')}::{text}"


def escaped(text: str) -> str:
    r"""Text that cannot end the command it stands in.

    >>> escaped("18 %\n::error::x")
    '18 %25%0A::error::x'
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return escaped(text).replace(":", "%3A").replace(",", "%2C")
