"""``resflops bench``: measure how long models take."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from resflops.cli.bench_options import add_arguments, choose_effort
from resflops.cli.failures import make_all_failed_error
from resflops.cli.models_argument import require_models
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.predicting import check_some_predicted, load_profile, predict_models
from resflops.cli.progress import announce_torch, progress
from resflops.cli.status import CHECK_FAILED, DONE, INTERRUPTED, TERMINATED
from resflops.cli.streams import warn
from resflops.errors import InputError, ModelError, ResflopsError, UsageError
from resflops.latency.configuration import BACKENDS, Configuration, grid, list_left_out
from resflops.latency.measurements import INTERRUPTED as RUN_INTERRUPTED
from resflops.latency.measurements import LOST, Measurements
from resflops.latency.measurements import TERMINATED as RUN_TERMINATED
from resflops.records import Shape
from resflops.sources import FoundModel, find, select_models
from resflops.sources.shapes import format_shape
from resflops.storage import blame_file
from resflops.tables.latency import build_latency_table
from resflops.tables.predictions import build_prediction_table

if TYPE_CHECKING:
    from resflops.latency.models import Measurable

__all__ = ["COMMAND"]


def _run(args: argparse.Namespace) -> int:
    if args.show:
        _check_shows_only(args)
        with blame_file(*args.show):
            write(build_latency_table(args.show), args)
        return DONE
    if args.predict:
        return _predict(args)
    measured, named = _measure(args)
    # The table first: it shows the reason for every configuration that failed.
    write(build_latency_table([measured]), args)
    _check_some(measured)
    failed = _list_failed(measured, named)
    if failed:
        warn(f"could not measure {', '.join(failed)}")
    run = measured.runs[-1]
    if run.ended.startswith(LOST):
        hint = "; --resume continues with the rest in a new process" if args.save else ""
        raise ModelError(f"not everything could be measured: {run.ended}{hint}")
    stopped = {RUN_INTERRUPTED: INTERRUPTED, RUN_TERMINATED: TERMINATED}
    return stopped.get(run.ended) or (CHECK_FAILED if failed else DONE)


def _predict(args: argparse.Namespace) -> int:
    _refuse_beside(args, "--predict runs no model", used=_OF_PREDICTIONS)
    # Read first, so that a file that is no profile is refused before torch is loaded.
    profile = load_profile(args.predict)
    with progress(shown=not args.no_progress) as say:
        models, named = _find_models(args, say)
        announce_torch(say)
        measurables, configurations = _list_configurations(args, models, args.device or "cpu")
        profile, rows = predict_models(args, measurables, configurations, profile, say)
    write(build_prediction_table(profile, rows, layers=args.layers), args)
    check_some_predicted(rows)
    predicted = {row.configuration.model for row in rows if row.prediction}
    failed = [name for name in named if name not in predicted]
    if failed:
        warn(f"could not predict {', '.join(failed)}")
    return CHECK_FAILED if failed else DONE


def _list_failed(measured: Measurements, named: list[str]) -> list[str]:
    """List the models that were named by themselves and have no time under any setting."""
    timed = {row.configuration.model for row in measured.rows if row.series.rounds}
    rows = {row.configuration.model for row in measured.rows}
    # One that there was no time for has not failed.
    tried = {row.configuration.model for row in measured.rows if row.series.failure}
    return [name for name in named if name in (rows & tried) - timed]


def _check_shows_only(args: argparse.Namespace) -> None:
    """Refuse options that have no effect beside ``--show``.

    Raises:
        UsageError: there are such options.
    """
    _refuse_beside(args, "--show measures nothing", used={"show"})


_OF_PREDICTIONS = {
    "predict", "models", "also_models", "input", "batch", "dtype", "threads", "layers", "no_progress",
    # Refused by what a profile holds for.
    "device", "backend", "memory_format", "mode", "autocast", "cold_l2", "training",
}  # fmt: skip
_OF_TABLES = {"format", "out", "columns", "sort", "units", "precision"}


def _refuse_beside(args: argparse.Namespace, why: str, *, used: set[str]) -> None:
    """Refuse options that have no effect beside one that says what is done.

    Args:
        args: the parsed arguments.
        why: that option, and what it does.
        used: the options that have an effect.

    Raises:
        UsageError: there are others.
    """
    # Compared with the defaults of a fresh parser, because argparse does not tell what was given.
    parser = Parser(prog="resflops bench")
    add_arguments(parser)
    defaults = vars(parser.parse_args([]))
    ignored = [
        f"--{name.replace('_', '-')}"
        for name in defaults.keys() - used - _OF_TABLES
        if getattr(args, name) != defaults[name]
    ]
    if ignored:
        raise UsageError(f"{why}; leave out {', '.join(sorted(ignored))}")


def _check_some(measured: Measurements) -> None:
    """Raise an error if nothing could be measured, after the table has shown the reasons.

    Raises:
        ModelError: not one configuration has a time.
    """
    failed = [row for row in measured.rows if row.series.failure and not row.series.rounds]
    if failed and len(failed) == len(measured.rows):
        first = failed[0]
        reason = first.series.failure.describe() if first.series.failure else ""
        described = first.configuration.describe()
        if len(failed) == 1:
            raise ModelError(f"{described} could not be measured: {reason}")
        raise ModelError(
            f"none of {len(failed)} configurations could be measured; the first, {described}: {reason}"
        )


def _measure(args: argparse.Namespace) -> tuple[Measurements, list[str]]:
    """Measure the models; the second value names those that no pattern named."""
    # Read first, so that a file that cannot be continued is refused before torch is loaded.
    so_far = _load_so_far(args)
    with progress(shown=not args.no_progress) as say:
        models, named = _find_models(args, say)
        say("loading torch")
        from resflops.latency.bench import measure
        from resflops.latency.devices import choose_device
        from resflops.latency.flags import Flags

        device = choose_device(args.device)
        measurables, configurations = _list_configurations(args, models, device)
        if left_out := list_left_out(configurations):
            warn(f"not supported, and left out: {'; '.join(left_out)}")
        measured = measure(
            measurables,
            configurations,
            effort=choose_effort(args, device),
            flags=Flags(tf32=args.tf32, cudnn_benchmark=args.cudnn_benchmark, threads=args.threads),
            command=_format_command(),
            layers=args.layers,
            so_far=so_far,
            say=say,
            keep=lambda measurements: measurements.save(args.save) if args.save else None,
        )
    return measured, named


def _find_models(
    args: argparse.Namespace, say: Callable[[str], None]
) -> tuple[dict[str, FoundModel | ResflopsError], list[str]]:
    """Find the models by their specs.

    Returns:
        Each model by its name, with the error instead for one that cannot be measured; and the names of those
        that no pattern named.

    Raises:
        ModelError: not one model can be measured.
    """
    specs = require_models(args, purpose="to measure")
    if args.layers and args.training:
        raise UsageError("--layers attributes inference to layers; leave out --training")
    if args.layers and not any(BACKENDS[name].layers for name in args.backend):
        able = ", ".join(each.name for each in BACKENDS.values() if each.layers)
        raise UsageError(
            f"--layers is not supported by backend {' or '.join(map(repr, args.backend))}; "
            f"backends that support it: {able}"
        )
    models: dict[str, FoundModel | ResflopsError] = {}
    selected = select_models(specs, say=say)
    for one in selected:
        try:
            if one.error:
                raise one.error
            model = find(one.spec)
            for shape in args.input or ():
                _check_input(model, shape)
            if model.graph is not None and set(args.backend) == {"torch"} and not args.predict:
                # It says why torch cannot run it, and what to ask for.
                model.make()
            models[one.name] = model
        except ResflopsError as error:
            models[one.name] = error
    errors = [error for error in models.values() if isinstance(error, ResflopsError)]
    if len(errors) == len(models):
        raise make_all_failed_error(
            list(map(str, errors)), by_pattern=any(one.by_pattern for one in selected), verb="can be measured"
        )
    return models, [one.name for one in selected if not one.by_pattern]


def _check_input(model: FoundModel, shape: Shape) -> None:
    """Refuse a shape that is not the shape of one input.

    Raises:
        InputError: the shape has a batch in front, or does not suit the model.
    """
    if model.input_shape and len(shape) == len(model.input_shape) + 1:
        raise InputError(
            f"--input {format_shape(shape)} includes the batch; give the shape of one input, "
            f"and the batch size as --batch {shape[0]}"
        )
    model.resolve_inputs(shape)


def _load_so_far(args: argparse.Namespace) -> Measurements | None:
    if args.resume and not args.save:
        raise UsageError("--resume continues the file of --save; name the file with --save")
    if not args.save or not Path(args.save).exists():
        return None
    if not args.resume:
        raise UsageError(f"{args.save} exists already; continue it with --resume, or save to another file")
    return Measurements.load(args.save)


def _list_configurations(
    args: argparse.Namespace, models: dict[str, FoundModel | ResflopsError], device: str
) -> tuple[dict[str, "Measurable"], tuple[Configuration, ...]]:
    """List every configuration that is asked for, and what is measured by the names that they have."""
    from resflops.latency.backends.measurables import make_measurable

    measurables = {name: make_measurable(model) for name, model in models.items()}
    configurations = grid(
        [(spec, shape) for spec, model in models.items() for shape in _list_shapes(model, args.input)],
        device=device,
        batches=args.batch or [1],
        dtypes=args.dtype,
        memory_formats=args.memory_format,
        modes=args.mode,
        backends=args.backend,
        autocast=args.autocast,
        cold_l2=args.cold_l2,
        training=args.training,
    )
    given = args.batch is not None
    settled = (measurables[each.model].settle(each, batch_given=given) for each in configurations)
    return measurables, tuple(dict.fromkeys(settled))


def _list_shapes(model: FoundModel | ResflopsError, given: list[Shape] | None) -> list[Shape]:
    """List the shapes of one input that a model is measured on; ``()`` for a model that cannot be."""
    if isinstance(model, ResflopsError):
        return [()]
    if not given:
        return [model.input_shape]
    wholes = [model.complete_shape(shape) for shape in given]
    return [
        whole[1:] if whole and model.input_shape else shape
        for whole, shape in zip(wholes, given, strict=True)
    ]


def _format_command() -> str:
    # Without the path of the program, which says only where this machine keeps its programs.
    return " ".join(["resflops", *sys.argv[1:]])


COMMAND = Command(
    description="Times models in rounds, in which all of them take turns, and keeps every sample. "
    "Shows the median with its interval, the share of the device's measured peak, "
    "whether computing or memory traffic is the limit, memory and energy where the device reports them, "
    "and whether the times can be trusted.",
    add_arguments=add_arguments,
    run=_run,
)
