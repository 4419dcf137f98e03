"""``resflops curve``: what models cost along a variable, and the law that they follow."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import PurePath

from msgspec import Struct

from resflops.cli.arguments import add_model_input, add_output, add_training
from resflops.cli.drawing_options import add_page, add_picture
from resflops.cli.failures import make_all_failed_error
from resflops.cli.inputs import require_one_input
from resflops.cli.models_argument import add_models, require_models
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.progress import progress
from resflops.cli.status import CHECK_FAILED, DONE, INTERRUPTED
from resflops.cli.streams import warn
from resflops.cost import check_prices_gradients
from resflops.errors import ResflopsError, UsageError, pluralize
from resflops.sources import SelectedModel, select_models
from resflops.storage.writing import write_bytes, write_text
from resflops.sweeps.curves.counting import CurveRequest, count_curve
from resflops.sweeps.curves.records import Curve
from resflops.sweeps.curves.variables import EXAMPLES, read_variable
from resflops.tables.curve import COLUMN_NAMES, build_curve_table

__all__ = ["COMMAND"]

Say = Callable[[str], None]


def _add_arguments(parser: Parser) -> None:
    add_models(parser, text="the models, such as resnet34 vgg19, as resflops table takes them")
    parser.add_argument(
        "--over",
        metavar="NAME=VALUES",
        type=read_variable,
        help=f"what is varied, and over which values: {EXAMPLES}",
    )
    add_model_input(parser)
    add_training(parser)
    parser.add_argument("--all", action="store_true", help="show every point")
    add_picture(parser, text="draw the curves into this file", dark="draw the picture for a dark background")
    add_page(parser, text="write a page with the laws, the picture, the steps and every point")
    add_output(parser, columns=COLUMN_NAMES)


class _Outcome(Struct, frozen=True, kw_only=True):
    """What came of each model."""

    curves: list[Curve]
    failed: dict[str, str]
    """Why there is no curve of a model, by its name."""
    interrupted: bool


def _run(args: argparse.Namespace) -> int:
    specs = require_models(args, purpose="to count")
    if args.over is None:
        raise UsageError(f"curve needs what is varied and its values; give --over, as in --over {EXAMPLES}")
    require_one_input(args)
    if args.training:
        check_prices_gradients(args.convention)
    with progress(shown=not args.no_progress) as say:
        selected = select_models(specs, say=say, fresh=args.fresh)
        outcome = _count_models(selected, args, say)
        if not outcome.curves:
            by_pattern = any(model.by_pattern for model in selected)
            reasons = list(outcome.failed.values())
            raise make_all_failed_error(reasons, by_pattern=by_pattern, verb="could be counted")
        _write_files(outcome.curves, args, say)
    write(build_curve_table(outcome.curves, everything=args.all), args)
    named_failed = _warn_of_failures(selected, outcome)
    if outcome.interrupted:
        return INTERRUPTED
    return CHECK_FAILED if named_failed else DONE


def _warn_of_failures(selected: Sequence[SelectedModel], outcome: _Outcome) -> bool:
    """Say which models have no curve; return whether the user named one of them by itself."""
    failed = [model for model in selected if model.name in outcome.failed]
    named = [model for model in failed if not model.by_pattern]
    others = [model for model in failed if model.by_pattern]
    for model in named:
        warn(f"could not count {model.name}: {outcome.failed[model.name]}")
    if others:
        first = others[0].name
        count = f"{len(others):,} {pluralize('model', len(others))} of a pattern"
        warn(f"could not count {count}; the first, {first}: {outcome.failed[first]}")
    if left := len(selected) - len(outcome.curves) - len(failed):
        warn(f"interrupted: {left:,} {pluralize('model', left)} not counted")
    return bool(named)


def _count_models(selected: Sequence[SelectedModel], args: argparse.Namespace, say: Say) -> _Outcome:
    """Count the models one after the other; an interrupt keeps what has been counted.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed before anything was counted.
    """
    curves: list[Curve] = []
    failed: dict[str, str] = {}
    for model in selected:
        try:
            curves.append(_count(model, args, say))
        except ResflopsError as error:
            failed[model.name] = str(error)
        except KeyboardInterrupt:
            if not curves:
                raise
            return _Outcome(curves=curves, failed=failed, interrupted=True)
        if curves and curves[-1].left:
            return _Outcome(curves=curves, failed=failed, interrupted=True)
    return _Outcome(curves=curves, failed=failed, interrupted=False)


def _count(model: SelectedModel, args: argparse.Namespace, say: Say) -> Curve:
    if model.error is not None:
        raise model.error
    given = require_one_input(args)
    request = CurveRequest(
        spec=model.spec,
        name=model.label,
        variable=args.over,
        convention=args.convention,
        input_shape=given.shape,
        batch=given.batch,
        backward=args.training,
        fresh=args.fresh,
    )
    return count_curve(request, say=say, keep_interrupted=True)


def _write_files(curves: list[Curve], args: argparse.Namespace, say: Say) -> None:
    """Write the picture and the page that were asked for."""
    if args.picture or args.html:
        say("drawing")
    if args.picture:
        # Here, because matplotlib takes long to import.
        from resflops.report.pictures.curves import draw_file
        from resflops.report.style import DARK, LIGHT

        ending = PurePath(args.picture).suffix.lower()
        drawn = draw_file(tuple(curves), ending=ending, theme=DARK if args.dark else LIGHT)
        write_bytes(args.picture, drawn)
    if args.html:
        from resflops.report.curve_page import render_curve_page

        write_text(args.html, render_curve_page(curves))


COMMAND = Command(
    description="Shows what models cost along a variable: the side of the image, the batch, the length of "
    "the sequence, or an option of the model such as its depth or width. Where the figures follow a law, "
    "such as a polynomial, it is stated with exact coefficients, and held against every counted point.",
    add_arguments=_add_arguments,
    run=_run,
)
