"""``resflops help``: explain a command."""

import argparse

from resflops.cli.parser import Command, Parser
from resflops.errors import UsageError, suggest

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    parser.add_argument("topic", metavar="COMMAND", nargs="?", help="the command to explain, such as table")


def _run(args: argparse.Namespace) -> int:
    # Here, because commands loads this module.
    from resflops.cli.commands import COMMANDS, run

    if args.topic is None:
        return run(["--help"])
    if args.topic.lower() in COMMANDS:
        return run([args.topic, "--help"])
    raise UsageError(
        f"no command {args.topic!r} to explain{suggest(args.topic, COMMANDS)}; "
        f"available: {', '.join(COMMANDS)}"
    )


COMMAND = Command(
    description="Explains a command, as --help after the command does; without one, lists all commands.",
    add_arguments=_add_arguments,
    run=_run,
)
