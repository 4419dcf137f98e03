"""List all commands, and run the one that the arguments name."""

import argparse
from collections.abc import Sequence

from resflops._version import __version__

# Every command is imported for the list of commands, so none of them imports torch, numpy, pandas or
# matplotlib at its top; tests/cli/test_process.py holds this.
from resflops.cli import (
    bench,
    check,
    conventions,
    crosscheck,
    diff,
    layers,
    lock,
    models,
    ops,
    peers,
    report,
    table,
)  # fmt: skip
from resflops.cli.command import Command, Parser, add_no_progress, check_output
from resflops.errors import UsageError, suggest

__all__ = ["COMMANDS", "run"]

COMMANDS: tuple[Command, ...] = (
    table.COMMAND,
    layers.COMMAND,
    crosscheck.COMMAND,
    bench.COMMAND,
    lock.COMMAND,
    check.COMMAND,
    diff.COMMAND,
    report.COMMAND,
    models.COMMAND,
    conventions.COMMAND,
    ops.COMMAND,
    peers.COMMAND,
)
"""In the order of the help. To add a command, add its module and name it here."""


def run(arguments: Sequence[str]) -> int:
    """Parse arguments and run the command that they name.

    Raises:
        UsageError: there is no such command, or it does not take these arguments.
        ResflopsError: the command raised it.
    """
    parser, subparsers = _build_parsers()
    _check_command(arguments)
    try:
        # The known ones alone, because argparse would reject the others without suggesting a similar name.
        args, unknown = parser.parse_known_args(arguments)
    except SystemExit as ending:
        # --help and --version have printed what was asked for; errors raise UsageError.
        return int(ending.code or 0)
    if unknown:
        raise subparsers.get(args.command, parser).describe_unknown(unknown[0])
    if args.command is None:
        parser.print_help()
        return 0
    check_output(args)
    command: Command = args.command_value
    return command.run(args)


def _build_parsers() -> tuple[Parser, dict[str, Parser]]:
    parser = Parser(
        prog="resflops",
        description="What a neural network costs, and the proof: "
        "every operation counted under a named convention.",
        epilog="resflops COMMAND --help explains a command. "
        "Exit status: 0 if it is done, 1 if a check failed, 2 if it could not run.",
    )
    parser.add_argument("--version", action="version", version=f"resflops {__version__}")
    add_no_progress(parser, default=False)
    # With prog given, argparse need not format a usage, for which rich would be loaded.
    adder = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", prog="resflops")
    subparsers: dict[str, Parser] = {}
    for command in COMMANDS:
        sub = adder.add_parser(command.name, help=command.summary, description=command.description)
        command.add_arguments(sub)
        add_no_progress(sub, default=argparse.SUPPRESS)
        sub.set_defaults(command_value=command)
        subparsers[command.name] = sub
    return parser, subparsers


def _check_command(arguments: Sequence[str]) -> None:
    """Refuse an unknown command with a suggestion, which argparse would not give.

    Raises:
        UsageError: there is no such command.
    """
    # No option before the command takes a value, so the first argument without a dash is the command.
    known = [command.name for command in COMMANDS]
    for argument in arguments:
        if not argument.startswith("-"):
            if argument not in known:
                raise UsageError(
                    f"no command {argument!r}{suggest(argument, known)}; there are: {', '.join(known)}"
                )
            return
