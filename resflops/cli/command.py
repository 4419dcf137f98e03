"""Define what a command is, and the arguments that several commands have in common."""

import argparse
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, NoReturn

from msgspec import Struct
from rich_argparse import RichHelpFormatter

from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.counters import CONVENTIONS
from resflops.errors import UsageError, suggest
from resflops.render import find_format, find_renderer, list_formats
from resflops.sources.shapes import LONGEST_SIZE, read_shape
from resflops.writing import check_writable

__all__ = [
    "Command",
    "Parser",
    "add_input",
    "add_model_input",
    "add_no_progress",
    "add_nonzero",
    "add_output",
    "add_training",
    "check_output",
    "make_number_reader",
    "read_shape",
    "require_writable",
]


class Help(RichHelpFormatter):
    """Formats help without markup, so that brackets are shown as they are, as in [tool.resflops]."""

    text_markup = False
    help_markup = False


class Parser(argparse.ArgumentParser):
    """A parser that raises its errors instead of exiting, and suggests similar names."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own settings
        # An abbreviation that works today is ambiguous once a command gets another option.
        super().__init__(formatter_class=Help, allow_abbrev=False, **settings)

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


class Command(Struct, frozen=True, kw_only=True):
    """A command of the command line."""

    name: str
    summary: str
    """The line about it in the list of commands."""
    description: str
    add_arguments: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]
    """A function that does the work and returns the exit status."""


def add_input(parser: Parser) -> None:
    """Add the option of a command that calls models."""
    parser.add_argument(
        "--input",
        metavar="SHAPE",
        type=read_shape,
        help="shape of the input, such as 3x224x224, or 4x3x224x224 with a batch; "
        "the usual one of each network if not given",
    )


def add_model_input(parser: Parser) -> None:
    """Add the options of a command that counts models."""
    add_input(parser)
    parser.add_argument(
        "--convention",
        metavar="NAME",
        type=find_convention,
        # A text, which argparse passes through type only if the option is not given.
        default=DEFAULT_CONVENTION,
        help=f"what to count: {', '.join(CONVENTIONS)}; {DEFAULT_CONVENTION} if not given",
    )
    # count_models reads both; a command that can show them adds the option, and others do without.
    parser.set_defaults(training=False, nonzero=False)


def add_training(parser: Parser) -> None:
    """Add the option that also counts the backward pass."""
    parser.add_argument(
        "--training",
        action="store_true",
        help="also count the backward pass: the gradients of the trainable parameters, and of everything "
        "between them and the output",
    )


def add_nonzero(parser: Parser) -> None:
    """Add the option that also counts the MACs without the zeros in the weights."""
    parser.add_argument(
        "--nonzero",
        action="store_true",
        help="also count the MACs whose weight is not zero, as for a pruned model; "
        "for this the model is built with its weights",
    )


def add_strict(parser: Parser) -> None:
    """Add the option that makes an incomplete count a failed check."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 if an op has no rule but did work, so that a figure is only a lower bound",
    )


def add_output(parser: Parser, *, of_checks: bool = False) -> None:
    """Add the options that say how and where to write the result."""
    parser.add_argument(
        "--format",
        metavar="NAME",
        type=lambda name: find_renderer(name, of_checks=of_checks).name,
        help=f"one of {', '.join(list_formats(of_checks=of_checks))}; "
        "by default the format of the ending of FILE, or terminal without a file",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=require_writable,
        help="write to this file instead of standard output; it is written whole or not at all",
    )
    parser.set_defaults(of_checks=of_checks)


def check_output(args: argparse.Namespace) -> None:
    """Refuse an output file whose ending names no format, before anything is counted for it.

    Raises:
        UsageError: the file has such an ending, and ``--format`` is not given.
    """
    # Not the reader of --out: whether --format is given is known only when everything is parsed.
    out = getattr(args, "out", None)
    if out and not args.format and PurePath(out).suffix and not find_format(out, of_checks=args.of_checks):
        formats = list_formats(of_checks=args.of_checks).values()
        endings = ", ".join(suffix for known in formats for suffix in known.suffixes)
        raise UsageError(
            f"--out {out}: its ending names no format; end it in one of {endings}, or name one with --format"
        )


def add_no_progress(parser: Parser, *, default: object) -> None:
    """Add the option that turns progress off, which may stand before the command or after it."""
    parser.add_argument(
        "--no-progress",
        action="store_true",
        default=default,
        help="do not show progress on standard error",
    )


def make_number_reader(option: str) -> Callable[[str], int]:
    """Make a reader of whole numbers from 1 on, which raises UsageError for any other text."""

    def read(text: str) -> int:
        # isdigit() alone would accept the digits of other scripts, and int() refuses thousands of digits.
        if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_SIZE and int(text)):
            raise UsageError(f"{option} takes a whole number from 1 on, got {text!r}")
        return int(text)

    return read


def require_writable(path: str) -> str:
    """Return a path if it can be written to.

    Raises:
        FileError: it cannot be written to.
    """
    # While parsing, before torch is loaded and anything is counted.
    check_writable(path)
    return path
