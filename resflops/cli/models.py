"""``resflops models``: list the built-in networks."""

import argparse

from resflops.cli.arguments import add_output
from resflops.cli.output import write
from resflops.cli.parser import Command
from resflops.cli.status import DONE
from resflops.tables.listings import build_network_table

__all__ = ["COMMAND"]


def _run(args: argparse.Namespace) -> int:
    write(build_network_table(), args)
    return DONE


COMMAND = Command(
    description="Lists the built-in networks by family, with the usual input and the options of each.",
    add_arguments=add_output,
    run=_run,
)
