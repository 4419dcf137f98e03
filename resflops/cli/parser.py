"""What a command is, and the parser of its arguments. Nothing here takes long to import."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple, NoReturn

from resflops.cli.arrange import Values, arrange_words
from resflops.cli.command_line import looks_like_model
from resflops.cli.help_format import PlainHelp, choose_help_formatter
from resflops.cli.streams import write_output
from resflops.errors import UsageError, suggest

__all__ = ["STANDARD_OUTPUT", "Command", "Parser", "add_no_progress", "check_output"]


STANDARD_OUTPUT = "-"
"""What stands for standard output where a file can be named."""


class Parser(argparse.ArgumentParser):
    """A parser that raises its errors instead of exiting, and suggests similar names."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own settings
        # An abbreviation that works today is ambiguous once a command gets another option.
        super().__init__(formatter_class=PlainHelp, allow_abbrev=False, **settings)
        self._explanations: list[tuple[argparse.Action, Callable[[], str]]] = []
        self._values: dict[str, Values] = {}
        self._positional: set[str] = set()
        self.register("action", "extend", _Extend)

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:  # noqa: ANN401
        """Add an argument; an option of several values may be given several times, and they add up."""
        if settings.get("nargs") in {"+", "*"} and names[0].startswith("-"):
            settings.setdefault("action", "extend")
        return super().add_argument(*names, **settings)

    def tell_values(self, action: argparse.Action, values: Values) -> None:
        """Tell which words are values of an option that takes several."""
        self._values[action.dest] = values

    def read_as_positional(self, action: argparse.Action) -> None:
        """Read the values of an option as positional arguments, whose other name it is."""
        self._positional.add(action.dest)

    def arrange(self, words: Sequence[str]) -> list[str]:
        """Arrange the words of a command line so that options and models may come in any order.

        Raises:
            UsageError: an option that takes one value is given two different ones.
        """
        return arrange_words(
            words,
            options=self._option_string_actions,
            positional=frozenset(self._positional),
            values=lambda action: self._values.get(action.dest, _ANY_WORDS),
        )

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
            return UsageError(f"unexpected argument {argument!r}; see {self.prog} --help")
        name = argument.partition("=")[0]
        known = [option for action in self._actions for option in action.option_strings]
        return UsageError(f"no option {name}{suggest(name, known)}; see {self.prog} --help")


class _Extend(argparse.Action):
    """Adds values to those that were given before; the first ones replace the default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,  # noqa: ANN401 - argparse's signature
        option_string: str | None = None,
    ) -> None:
        """Add the values of one occurrence."""
        del parser, option_string
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [*(() if before is self.default else before), *values])


_ANY_WORDS = Values(belong=lambda word: not looks_like_model(word))


class Command(NamedTuple):
    """A command of the command line; its name is that of its module."""

    description: str
    add_arguments: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]
    """A function that does the work and returns the exit status."""


def add_no_progress(parser: Parser) -> None:
    """Add the option that turns progress off, which may stand before the command or after it."""
    parser.add_argument(
        "--no-progress",
        action="store_true",
        help="do not show progress on standard error",
    )


def check_output(args: argparse.Namespace) -> None:
    """Check what is asked of the output before anything is counted for it.

    Raises:
        UsageError: the file's ending names no format and ``--format`` is not given, or the table cannot be
            arranged like that.
    """
    if hasattr(args, "known_columns"):
        from resflops.cli.arranging import read_arrangement

        read_arrangement(args)
    # Not the reader of --out: whether --format is given is known only when everything is parsed.
    out = getattr(args, "out", None)
    if not out or out == STANDARD_OUTPUT:
        return
    from resflops.render import find_format, list_formats

    if not args.format and PurePath(out).suffix and not find_format(out, of_checks=args.of_checks):
        formats = list_formats(of_checks=args.of_checks).values()
        endings = ", ".join(suffix for known in formats for suffix in known.suffixes)
        raise UsageError(
            f"--out {out}: its ending names no format; end it in one of {endings}, or name one with --format"
        )
