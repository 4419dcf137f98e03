"""``resflops ops``: list the ops that are counted, and those that are free."""

import argparse

from resflops.cli.arguments import add_output
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.status import DONE
from resflops.tables.listings import build_op_table

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "pattern",
        metavar="PATTERN",
        nargs="*",
        help="list the ops whose names contain this, such as conv, or match it, such as 'conv*d'; "
        "all if not given",
    )
    add_output(parser)


def _run(args: argparse.Namespace) -> int:
    write(build_op_table(args.pattern), args)
    return DONE


COMMAND = Command(
    description="Lists every op that has a rule, with what the rule counts, and every op that is free, "
    "with the reason.",
    add_arguments=_add_arguments,
    run=_run,
)
