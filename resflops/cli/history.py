"""``resflops history``: show what models cost over the history of a repository, and what changed it."""

import argparse
from pathlib import PurePath

from resflops.cli.arguments import add_model_input, add_output
from resflops.cli.drawing_options import add_page, add_picture
from resflops.cli.gating import add_config, find_config_path
from resflops.cli.inputs import require_one_input
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.progress import progress
from resflops.cli.readers import make_number_reader
from resflops.cli.status import DONE, INTERRUPTED
from resflops.cli.streams import warn
from resflops.errors import RevisionError, pluralize
from resflops.gate.git import find_repository
from resflops.gate.history.range_pricing import price_range
from resflops.gate.history.steps import History
from resflops.sources.trace_cache import summarize_cache
from resflops.storage.writing import write_bytes, write_text
from resflops.tables.history import build_history_table

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "range",
        metavar="RANGE",
        help="the commits: v1.0..HEAD, or v1.0 for the same; A...B begins where B branched off from A. "
        "Along the first parents: a merge is one commit, which brings all of its branch",
    )
    parser.add_argument(
        "models",
        metavar="MODEL",
        nargs="*",
        help="only these models, by their names in the configuration or by their specs; "
        "all that are configured in the range if none is named",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=make_number_reader("--workers"),
        default=2,
        help="how many commits are counted at once; 2 if not given",
    )
    parser.add_argument(
        "--time-limit",
        metavar="SECONDS",
        type=make_number_reader("--time-limit"),
        default=600,
        help="give up a model at a commit after so long, such as one that hangs; 600 if not given",
    )
    add_picture(
        parser,
        text="draw the cost from commit to commit, with the steps named, into this file",
        dark="for --picture, light lines on a dark ground",
    )
    add_page(parser, text="write a page with the picture and every step, layer by layer")
    parser.add_argument(
        "--every-commit",
        action="store_true",
        help="also price the commits of branches that were merged, each against its parents; the picture "
        "stays that of the first parents",
    )
    parser.add_argument("--all", action="store_true", help="show every commit and every changed layer")
    add_config(parser)
    add_model_input(parser)
    add_output(parser)


def _run(args: argparse.Namespace) -> int:
    history = _price(args)
    _write_files(history, args)
    write(build_history_table(history, everything=args.all), args)
    if history.left:
        left = f"{history.left} {pluralize('figure', history.left)} {'is' if history.left == 1 else 'are'}"
        warn(f"interrupted: {left} not counted yet; the same command goes on from here")
        return INTERRUPTED
    return DONE


def _price(args: argparse.Namespace) -> History:
    config = find_config_path(args, args.models)
    given = require_one_input(args)
    if problem := summarize_cache().problem:
        warn(f"what is counted is not kept in the cache, so this run cannot go on later: {problem}")
    with progress(shown=not args.no_progress) as say:
        return price_range(
            args.range,
            repository=find_repository(config.parent),
            config=config,
            models=args.models,
            input_shape=given.shape,
            batch=given.batch,
            convention=args.convention.name,
            every=args.every_commit,
            workers=args.workers,
            time_limit=args.time_limit,
            fresh=args.fresh,
            say=say,
        )


def _write_files(history: History, args: argparse.Namespace) -> None:
    """Write the picture and the page that were asked for."""
    if (args.picture or args.html) and not any(
        point.snapshot for model in history.models for point in model.points
    ):
        raise RevisionError(
            f"no model can be counted at any commit of {history.range}, so there is nothing to draw; "
            "without --picture and --html, the table says why"
        )
    if args.picture:
        # Here, because matplotlib takes long to import.
        from resflops.report.pictures.history import draw_file
        from resflops.report.style import DARK, LIGHT

        ending = PurePath(args.picture).suffix.lower()
        write_bytes(args.picture, draw_file(history, ending=ending, theme=DARK if args.dark else LIGHT))
    if args.html:
        from resflops.report.history_page import render_history_page

        write_text(args.html, render_history_page(history))


COMMAND = Command(
    description="Prices the configured models at each commit of a range that touches them, each in a process "
    "of its own and from a clean checkout, and names the commits and the layers that changed what they cost. "
    "What was counted is kept in the cache, so that an interrupted run goes on where it was.",
    add_arguments=_add_arguments,
    run=_run,
)
