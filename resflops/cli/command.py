"""What a command is, and the arguments that several commands take."""

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
from resflops.storage import check_writable

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
    """Help whose texts are shown as they stand: brackets are brackets, as in [tool.resflops]."""

    text_markup = False
    help_markup = False


class Parser(argparse.ArgumentParser):
    """A parser that raises its complaints, and offers near names."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own settings
        # An abbreviation that works today is ambiguous once a command gets another option.
        super().__init__(formatter_class=Help, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print and exit with."""
        raise UsageError(f"{message}; see {self.prog} --help")

    def unknown(self, argument: str) -> UsageError:
        """The error for an argument that the command does not take."""
        if not argument.startswith("-"):
            if "--models" in self._option_string_actions:
                return UsageError(
                    f"{argument!r} is one argument too many; models are given as --models {argument}, "
                    f"see {self.prog} --help"
                )
            return UsageError(f"{argument!r} is one argument too many; see {self.prog} --help")
        name = argument.partition("=")[0]
        known = [option for action in self._actions for option in action.option_strings]
        return UsageError(f"no option {name}{suggest(name, known)}; see {self.prog} --help")


class Command(Struct, frozen=True, kw_only=True):
    """A command of the command line."""

    name: str
    summary: str
    """One line for the list of commands."""
    description: str
    add_arguments: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]
    """Does the work and returns the exit status."""


def add_input(parser: Parser) -> None:
    """The argument of a command that calls models."""
    parser.add_argument(
        "--input",
        metavar="SHAPE",
        type=read_shape,
        help="shape of the input, such as 3x224x224 or with a batch 4x3x224x224; "
        "each network's usual one if not given",
    )


def add_model_input(parser: Parser) -> None:
    """The arguments of a command that counts models."""
    add_input(parser)
    parser.add_argument(
        "--convention",
        metavar="NAME",
        type=find_convention,
        # A text, which argparse reads as it would read one that is given.
        default=DEFAULT_CONVENTION,
        help=f"what to count: {', '.join(CONVENTIONS)}; {DEFAULT_CONVENTION} if not given",
    )
    # Not every command that counts can show these, and those that can have an option for it.
    parser.set_defaults(training=False, nonzero=False)


def add_training(parser: Parser) -> None:
    """The option that counts the backward pass besides."""
    parser.add_argument(
        "--training",
        action="store_true",
        help="count the backward pass too: the gradients of trainable parameters, and of what lies between "
        "them and the output",
    )


def add_nonzero(parser: Parser) -> None:
    """The option that counts the zeros in the weights besides."""
    parser.add_argument(
        "--nonzero",
        action="store_true",
        help="count also the MACs whose weight is not zero, as in a pruned model; it is built with its "
        "weights for that",
    )


def add_strict(parser: Parser) -> None:
    """The option that makes an incomplete count a failed check."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 if an op did work and has no rule, so that a figure is only a lower bound",
    )


def add_output(parser: Parser, *, of_checks: bool = False) -> None:
    """The arguments that say how and where to write."""
    parser.add_argument(
        "--format",
        metavar="NAME",
        type=lambda name: find_renderer(name, of_checks=of_checks).name,
        help=f"one of {', '.join(list_formats(of_checks=of_checks))}; by default what the ending of FILE "
        "says, and terminal without one",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=require_writable,
        help="write to this file, whole or not at all, instead of the standard output",
    )
    parser.set_defaults(of_checks=of_checks)


def check_output(args: argparse.Namespace) -> None:
    """Refuse a file whose ending names no format, before anything is counted for it.

    Raises:
        UsageError: it does, and no format is given besides.
    """
    out = getattr(args, "out", None)
    if out and not args.format and PurePath(out).suffix and not find_format(out, of_checks=args.of_checks):
        known = list_formats(of_checks=args.of_checks).values()
        endings = ", ".join(suffix for each in known for suffix in each.suffixes)
        raise UsageError(
            f"--out {out}: its ending names no format; end it in one of {endings}, or name one with --format"
        )


def add_no_progress(parser: Parser, *, default: object) -> None:
    """The option that goes before the command or after it."""
    parser.add_argument(
        "--no-progress",
        action="store_true",
        default=default,
        help="show no progress on the standard error",
    )


def make_number_reader(option: str) -> Callable[[str], int]:
    """A reader of numbers from 1 on, which raises UsageError at any other text."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_SIZE and int(text)):
            raise UsageError(f"{option} takes a whole number from 1 on, and {text!r} is none")
        return int(text)

    return read


def require_writable(path: str) -> str:
    """A path that can be written to.

    Raises:
        FileError: it cannot.
    """
    # At once, before torch is loaded and anything is counted.
    check_writable(path)
    return path
