"""``resflops cache``: show where traces are stored, or remove those in the user's cache."""

import argparse

from resflops.cli.arguments import add_output
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.status import DONE
from resflops.cli.streams import warn
from resflops.sources.shipped_traces import summarize_archive
from resflops.sources.trace_cache import clear_cache, summarize_cache
from resflops.tables.stored import build_storage_table

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "--clear", action="store_true", help="first remove everything in the cache; what ships stays"
    )
    add_output(parser)


def _run(args: argparse.Namespace) -> int:
    if args.clear:
        removed = clear_cache()
        warn(f"removed {removed} entries" if removed != 1 else "removed 1 entry")
    write(build_storage_table(shipped=summarize_archive(), cache=summarize_cache()), args)
    return DONE


COMMAND = Command(
    description="Shows which traces are stored: those of the built-in networks, which ship with resflops, "
    "and those of torchvision's, timm's and Hugging Face's models by name, which are kept in the user's "
    "cache, as are the figures of resflops history. The environment variable RESFLOPS_CACHE names another "
    "folder, or turns the cache off with 0.",
    add_arguments=_add_arguments,
    run=_run,
)
