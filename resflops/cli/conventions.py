"""``resflops conventions``: list and explain the conventions."""

import argparse

from resflops.cli.arguments import add_output
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.status import DONE
from resflops.cost.convention import find_convention
from resflops.tables.listings import build_convention_list, build_convention_table

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        type=find_convention,
        help="explain this convention, with its prices op by op",
    )
    add_output(parser)


def _run(args: argparse.Namespace) -> int:
    write(build_convention_table(args.name) if args.name else build_convention_list(), args)
    return DONE


COMMAND = Command(
    description="Lists the conventions: what each of them counts, and who counts in this way.",
    add_arguments=_add_arguments,
    run=_run,
)
