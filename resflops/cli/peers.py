"""``resflops peers``: list the other counters."""

import argparse

from resflops.cli.arguments import add_output
from resflops.cli.output import write
from resflops.cli.parser import Command
from resflops.cli.status import DONE
from resflops.tables.peers import build_peer_table

__all__ = ["COMMAND"]


def _run(args: argparse.Namespace) -> int:
    write(build_peer_table(), args)
    return DONE


COMMAND = Command(
    description="Lists the other counters that crosscheck runs: which are installed and in which version, "
    "the convention of each and the versions that it was verified with, and its known defects.",
    add_arguments=add_output,
    run=_run,
)
