"""``resflops bench``: how long models take, measured."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from resflops.cli.command import Command, Parser, add_output, make_number_reader, read_shape, require_writable
from resflops.cli.models_argument import add_models, require_models
from resflops.cli.output import write
from resflops.cli.progress import progress
from resflops.cli.status import DONE, INTERRUPTED
from resflops.errors import InputError, ModelError, ResflopsError, UsageError
from resflops.latency.configuration import (
    DTYPES,
    MEMORY_FORMATS,
    MODES,
    Configuration,
    check_known,
    grid,
)
from resflops.latency.measurements import Measurements
from resflops.latency.schedule import Effort
from resflops.records import Shape
from resflops.sources import FoundModel, find, select_models
from resflops.tables import build_latency_table

__all__ = ["COMMAND"]

DEFAULTS = Effort()


def _add_arguments(parser: Parser) -> None:
    add_models(parser, text="the models, such as resnet34 vgg19")
    parser.add_argument(
        "--input", metavar="SHAPE", type=read_shape, help="shape of one input, such as 3x224x224"
    )
    parser.add_argument(
        "--device", metavar="NAME", help="cpu, cuda or cuda:N; a GPU if there is one, else cpu"
    )
    _add_settings(parser)
    _add_effort(parser)
    parser.add_argument(
        "--layers",
        action="store_true",
        help="also attribute the time to layers, and show their share of it beside that of the MACs",
    )
    parser.add_argument(
        "--save",
        metavar="FILE",
        type=require_writable,
        help="keep every sample in this JSON file, written again and again while measuring",
    )
    parser.add_argument("--resume", action="store_true", help="go on with what FILE of --save has")
    parser.add_argument(
        "--show",
        nargs="+",
        metavar="FILE",
        type=Measurements.load,
        help="measure nothing, and show what these files of --save have",
    )
    add_output(parser)


def _add_settings(parser: Parser) -> None:
    several: tuple[tuple[str, str, Callable[[str], object], list[object], str], ...] = (
        ("--batch", "N", make_number_reader("--batch"), [1], "how many inputs at once; 1 if not given"),
        ("--dtype", "NAME", _make_choice_reader("--dtype", DTYPES), ["float32"], f"{', '.join(DTYPES)}"),
        ("--memory-format", "NAME", _make_choice_reader("--memory-format", MEMORY_FORMATS), ["contiguous"],
         f"{', '.join(MEMORY_FORMATS)}"),
        ("--mode", "NAME", _make_choice_reader("--mode", MODES), ["eager"],
         f"how kernels are launched: {', '.join(MODES)}"),
    )  # fmt: skip
    for name, metavar, kind, usual, said in several:
        parser.add_argument(name, nargs="+", metavar=metavar, type=kind, default=usual, help=said)
    for name, said in (
        ("--autocast", "keep the weights in float32 and compute in the smaller dtypes by torch.autocast"),
        ("--cold-l2", "clear the GPU's L2 cache before every repetition"),
        ("--training", "time a training step: forward, the outputs' mean as the loss, backward"),
    ):
        parser.add_argument(name, action="store_true", help=said)


def _add_effort(parser: Parser) -> None:
    parser.add_argument(
        "--rounds",
        metavar="N",
        type=make_number_reader("--rounds"),
        default=DEFAULTS.rounds,
        help=f"visits to every configuration, in turns; {DEFAULTS.rounds} if not given",
    )
    for name, usual, said in (
        ("--warm-up", DEFAULTS.warm_up, "of warm-up in every visit"),
        ("--seconds", DEFAULTS.seconds, "of samples in every visit"),
        ("--energy-seconds", DEFAULTS.energy_seconds, "over which a GPU's energy is taken, 0 for none"),
    ):
        parser.add_argument(
            name,
            metavar="S",
            type=_make_seconds_reader(name),
            default=usual,
            help=f"seconds {said}; {usual} if not given",
        )
    parser.add_argument(
        "--least",
        metavar="N",
        type=make_number_reader("--least"),
        default=DEFAULTS.least,
        help=f"samples in every visit, however long one takes; {DEFAULTS.least} if not given",
    )


def _run(args: argparse.Namespace) -> int:
    if args.show:
        _check_nothing_measured(args)
        write(build_latency_table(args.show), args)
        return DONE
    measured = _measure(args)
    write(build_latency_table([measured]), args)
    _check_some(measured)
    return DONE if measured.runs[-1].finished else INTERRUPTED


def _check_nothing_measured(args: argparse.Namespace) -> None:
    """Refuse options that would have no effect."""
    parser = Parser(prog="resflops bench")
    _add_arguments(parser)
    usual = vars(parser.parse_args([]))
    idle = [
        f"--{name.replace('_', '-')}"
        for name in usual.keys() - {"show", "format", "out"}
        if getattr(args, name) != usual[name]
    ]
    if idle:
        raise UsageError(f"--show measures nothing; leave out {', '.join(sorted(idle))}")


def _check_some(measured: Measurements) -> None:
    """Fail if there is no time at all, once the table has said why of each."""
    failed = [row for row in measured.rows if row.series.failure and not row.series.rounds]
    if failed and len(failed) == len(measured.rows):
        first = failed[0]
        reason = first.series.failure.describe() if first.series.failure else ""
        raise ModelError(
            f"none of {len(failed)} configurations could be measured; the first, "
            f"{first.configuration.describe()}: {reason}"
        )


def _measure(args: argparse.Namespace) -> Measurements:
    so_far = _load_so_far(args)
    with progress(shown=not args.no_progress) as say:
        found = _find_models(args, say)
        say("loading torch")
        from resflops.latency.bench import measure
        from resflops.latency.devices import choose_device
        from resflops.latency.models import MeasurableSpec, UnbuildableModel

        return measure(
            {
                spec: UnbuildableModel(model) if isinstance(model, ResflopsError) else MeasurableSpec(model)
                for spec, model in found.items()
            },
            _list_configurations(args, found, choose_device(args.device)),
            effort=Effort(
                rounds=args.rounds,
                warm_up=args.warm_up,
                seconds=args.seconds,
                least=args.least,
                energy_seconds=args.energy_seconds,
            ),
            command=_format_command(),
            layers=args.layers,
            so_far=so_far,
            say=say,
            keep=lambda known: known.save(args.save) if args.save else None,
        )


def _find_models(
    args: argparse.Namespace, say: Callable[[str], None]
) -> dict[str, FoundModel | ResflopsError]:
    """The models by their specs; of one that a pattern named, maybe why it cannot be measured."""
    specs = require_models(args, purpose="to measure")
    if args.layers and args.training:
        raise UsageError("--layers attributes inference to layers; leave out --training")
    found: dict[str, FoundModel | ResflopsError] = {}
    for one in select_models(specs, check=lambda model: _check_input(model, args.input), say=say):
        try:
            model = find(one.spec)
            _check_input(model, args.input)
            found[one.spec] = model
        except ResflopsError as error:
            if not one.by_pattern:
                raise
            found[one.spec] = error
    refused = [error for error in found.values() if isinstance(error, ResflopsError)]
    if len(refused) == len(found):
        raise ModelError(f"none of {len(found)} models can be measured; the first: {refused[0]}")
    return found


def _check_input(model: FoundModel, shape: Shape | None) -> None:
    """Refuse a shape that is not one input's."""
    if shape is None:
        return
    if model.input_shape and len(shape) == len(model.input_shape) + 1:
        raise InputError(
            f"--input {'x'.join(map(str, shape))} has a batch in front; give one input's shape, "
            f"and the batch as --batch {shape[0]}"
        )
    model.resolve_inputs(shape)


def _load_so_far(args: argparse.Namespace) -> Measurements | None:
    if args.resume and not args.save:
        raise UsageError("--resume goes on with the file of --save; name it")
    if not args.save or not Path(args.save).exists():
        return None
    if not args.resume:
        raise UsageError(f"{args.save} exists already; go on with it by --resume, or save to another file")
    return Measurements.load(args.save)


def _list_configurations(
    args: argparse.Namespace, found: dict[str, FoundModel | ResflopsError], device: str
) -> tuple[Configuration, ...]:
    return grid(
        [
            (spec, args.input or (() if isinstance(model, ResflopsError) else model.input_shape))
            for spec, model in found.items()
        ],
        device=device,
        batches=args.batch,
        dtypes=args.dtype,
        memory_formats=args.memory_format,
        modes=args.mode,
        autocast=args.autocast,
        cold_l2=args.cold_l2,
        training=args.training,
    )


def _format_command() -> str:
    # What stands before it is where this machine keeps its programs.
    return " ".join(["resflops", *sys.argv[1:]])


def _make_choice_reader(option: str, known: object) -> Callable[[str], str]:
    return lambda name: check_known(option, name, tuple(known))  # type: ignore[arg-type]


def _make_seconds_reader(option: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < 1e6:
            raise UsageError(f"{option} takes a number of seconds, such as 0.5, and {text!r} is none")
        return value

    return read


COMMAND = Command(
    name="bench",
    summary="measure how long models take",
    description="Times models, in rounds in which all take turns, with every sample kept: median and its "
    "interval, share of the device's measured peak, the roof that binds, memory and energy where they can be "
    "had, and whether the times can be trusted.",
    add_arguments=_add_arguments,
    run=_run,
)
