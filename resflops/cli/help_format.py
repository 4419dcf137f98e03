"""How help looks: in colours on a terminal, and the same text without them anywhere else."""

import argparse
import os
import sys
from collections.abc import Iterable

__all__ = ["PlainHelp", "choose_help_formatter"]


class _NamesThenValue(argparse.HelpFormatter):
    """Writes ``-o, --out FILE``; before Python 3.13 argparse repeats the metavar after each name."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


class PlainHelp(_NamesThenValue):
    """Formats help as rich_argparse does, and without rich, which takes as long to import as the rest."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        """Add the usage, which begins with a capital letter."""
        super().add_usage(usage, actions, groups, prefix or "Usage: ")

    def start_section(self, heading: str | None) -> None:
        """Begin a section, whose heading is in capital letters at the front of words."""
        super().start_section(heading and heading.title())

    # argparse breaks lines at hyphens, too, and rich at spaces only.
    def _split_lines(self, text: str, width: int) -> list[str]:
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines[-1] else word
            if len(longer) <= width:
                lines[-1] = longer
            else:
                # A word longer than a line is cut; it begins on a line of its own.
                lines += [word[start : start + width] for start in range(0, len(word), width)]
        return lines if lines[0] else lines[1:]

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in self._split_lines(text, width))


def choose_help_formatter() -> type[argparse.HelpFormatter]:
    """Choose the formatter for where standard output goes."""
    # Anything else that makes rich write colours is asked for by name, too.
    if not os.environ.get("FORCE_COLOR") and (sys.stdout is None or not sys.stdout.isatty()):
        return PlainHelp
    from rich_argparse import RichHelpFormatter

    class ColouredHelp(_NamesThenValue, RichHelpFormatter):
        """Formats help without markup, so that brackets are shown as they are, as in [tool.resflops]."""

        text_markup = False
        help_markup = False

    return ColouredHelp
