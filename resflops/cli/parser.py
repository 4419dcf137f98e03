"""What a command is, and the parser of its arguments. Nothing here takes long to import."""

import argparse
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, NamedTuple, NoReturn

from resflops.cli.help import PlainHelp, choose_help_formatter
from resflops.cli.streams import write_output
from resflops.errors import UsageError, suggest

__all__ = ["Command", "Parser", "add_no_progress", "check_output"]


class Parser(argparse.ArgumentParser):
    """A parser that raises its errors instead of exiting, and suggests similar names."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own settings
        # An abbreviation that works today is ambiguous once a command gets another option.
        super().__init__(formatter_class=PlainHelp, allow_abbrev=False, **settings)
        self._explanations: list[tuple[argparse.Action, Callable[[], str]]] = []

    def explain_when_asked(self, action: argparse.Action, explain: Callable[[], str]) -> None:
        """Let the help text of an argument be made when help is asked for, if making it takes imports."""
        self._explanations.append((action, explain))

    def format_help(self) -> str:
        """Format the help for where standard output goes."""
        for action, explain in self._explanations:
            action.help = explain()
        self.formatter_class = choose_help_formatter()
        return super().format_help()

    def _print_message(self, message: str, file: object = None) -> None:
        # Help and the version, which are all that argparse prints here.
        del file
        write_output(message)

    def error(self, message: str) -> NoReturn:
        """Raise the error that argparse would print before it exits."""
        raise UsageError(f"{message}; see {self.prog} --help")

    def describe_unknown(self, argument: str) -> UsageError:
        """Make the error for an argument that the command does not take."""
        if not argument.startswith("-"):
            if "--models" in self._option_string_actions:
                return UsageError(
                    f"unexpected argument {argument!r}; models are given as --models {argument}, "
                    f"see {self.prog} --help"
                )
            return UsageError(f"unexpected argument {argument!r}; see {self.prog} --help")
        name = argument.partition("=")[0]
        known = [option for action in self._actions for option in action.option_strings]
        return UsageError(f"no option {name}{suggest(name, known)}; see {self.prog} --help")


class Command(NamedTuple):
    """A command of the command line; its name is that of its module."""

    description: str
    add_arguments: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]
    """A function that does the work and returns the exit status."""


def add_no_progress(parser: Parser, *, default: object) -> None:
    """Add the option that turns progress off, which may stand before the command or after it."""
    parser.add_argument(
        "--no-progress",
        action="store_true",
        default=default,
        help="do not show progress on standard error",
    )


def check_output(args: argparse.Namespace) -> None:
    """Refuse an output file whose ending names no format, before anything is counted for it.

    Raises:
        UsageError: the file has such an ending, and ``--format`` is not given.
    """
    # Not the reader of --out: whether --format is given is known only when everything is parsed.
    out = getattr(args, "out", None)
    if not out:
        return
    from resflops.render import find_format, list_formats

    if not args.format and PurePath(out).suffix and not find_format(out, of_checks=args.of_checks):
        formats = list_formats(of_checks=args.of_checks).values()
        endings = ", ".join(suffix for known in formats for suffix in known.suffixes)
        raise UsageError(
            f"--out {out}: its ending names no format; end it in one of {endings}, or name one with --format"
        )
