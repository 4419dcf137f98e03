"""``resflops help``: explain a command, or show a guide."""

import argparse

from resflops.cli.parser import Command, Parser
from resflops.errors import UsageError, suggest

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "topic",
        metavar="TOPIC",
        nargs="*",
        help="the command to explain, such as table, or the guide to show, such as cost-gate",
    )


def _run(args: argparse.Namespace) -> int:
    # Here, because commands loads this module.
    from resflops.cli.commands import COMMANDS, run
    from resflops.cli.guides import find_guide, list_guides, show_guide

    if not args.topic:
        return run(["--help"])
    topic = " ".join(args.topic)
    guide = find_guide(topic)
    if topic.lower() in COMMANDS:
        status = run([topic, "--help"])
        if guide == topic.lower():
            show_guide(guide)
        return status
    if guide:
        show_guide(guide)
        return 0
    guides = list_guides()
    raise UsageError(
        f"no command or guide {topic!r} to explain{suggest(topic, [*COMMANDS, *guides])}; "
        f"available commands: {', '.join(COMMANDS)}; available guides: {', '.join(guides)}"
    )


COMMAND = Command(
    description="Explains a command, as --help after the command does, or shows a guide; "
    "without a topic, lists all commands and guides.",
    add_arguments=_add_arguments,
    run=_run,
)
