"""``resflops bench``: measure how long models take."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from resflops.cli.arguments import (
    MEASUREMENT_FILES,
    add_output,
    require_writable,
)
from resflops.cli.arrange import Values
from resflops.cli.command_line import looks_like_model
from resflops.cli.failures import make_all_failed_error
from resflops.cli.inputs import SHAPES
from resflops.cli.models_argument import add_models, require_models
from resflops.cli.output import write
from resflops.cli.parser import STANDARD_OUTPUT, Command, Parser
from resflops.cli.progress import progress
from resflops.cli.readers import make_number_reader, split_list
from resflops.cli.status import CHECK_FAILED, DONE, INTERRUPTED, TERMINATED
from resflops.cli.streams import warn
from resflops.errors import InputError, ModelError, ResflopsError, UsageError
from resflops.latency.configuration import (
    DTYPES,
    MEMORY_FORMATS,
    MODES,
    SWITCHES,
    Configuration,
    check_known,
    grid,
    read_dtype,
)
from resflops.latency.measurements import INTERRUPTED as RUN_INTERRUPTED
from resflops.latency.measurements import LOST, Measurements
from resflops.latency.measurements import TERMINATED as RUN_TERMINATED
from resflops.latency.schedule import Effort
from resflops.records import Shape
from resflops.sources import FoundModel, find, select_models
from resflops.sources.shapes import format_shape, read_shape
from resflops.storage import blame_file
from resflops.tables.latency import build_latency_table, list_latency_columns

__all__ = ["COMMAND"]

DEFAULTS = Effort()

LEAST_ROUNDS, MOST_ROUNDS = 5, 25
GPU_PRECISION, CPU_PRECISION = 0.02, 0.05


def _add_arguments(parser: Parser) -> None:
    add_models(parser, text="the models, such as resnet34 vgg19")
    shapes = parser.add_argument(
        "-i",
        "--input",
        metavar="SHAPE",
        nargs="+",
        type=read_shape,
        help="shape of one input, such as 3x224x224; several are each measured",
    )
    parser.tell_values(shapes, SHAPES)
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="where to run: cpu, cuda or cuda:N; by default a GPU if there is one, else the CPU",
    )
    _add_settings(parser)
    _add_effort(parser)
    parser.add_argument(
        "--layers",
        action="store_true",
        help="also attribute the time to layers, and compare their share of it with their share of the MACs",
    )
    parser.add_argument(
        "--save",
        metavar="FILE",
        type=_check_save_path,
        help="keep every sample in this JSON file, which is updated while measuring",
    )
    parser.add_argument("--resume", action="store_true", help="continue the measurement in FILE of --save")
    show = parser.add_argument(
        "--show",
        nargs="+",
        metavar="FILE",
        type=Measurements.load,
        help="measure nothing, and show the measurements in these files of --save",
    )
    parser.tell_values(show, MEASUREMENT_FILES)
    # Here --precision says how long to measure.
    add_output(parser, decimals="--decimals", columns=list_latency_columns())


def _check_save_path(path: str) -> str:
    if path == STANDARD_OUTPUT:
        raise UsageError(
            "--save needs a file, which is updated while measuring; for the result, use --format json"
        )
    return require_writable(path)


def _add_settings(parser: Parser) -> None:
    # The settings that take several values: every combination of them is measured.
    grid_options: tuple[tuple[str, str, Callable[[str], object], list[object], str], ...] = (
        ("--batch", "N", make_number_reader("--batch"), [1], "batch sizes; 1 if not given"),
        ("--dtype", "NAME", partial(read_dtype, "--dtype"), ["float32"],
         f"element types: {', '.join(DTYPES)}; float32 if not given"),
        ("--memory-format", "NAME", _make_choice_reader("--memory-format", MEMORY_FORMATS), ["contiguous"],
         f"memory formats: {', '.join(MEMORY_FORMATS)}; contiguous if not given"),
        ("--mode", "NAME", _make_choice_reader("--mode", MODES), ["eager"],
         f"ways to launch the kernels: {', '.join(MODES)}; eager if not given"),
    )  # fmt: skip
    for name, metavar, reader, default, help_text in grid_options:
        option = parser.add_argument(
            name, nargs="+", metavar=metavar, type=reader, default=default, help=help_text
        )
        parser.tell_values(option, Values(belong=lambda word: not looks_like_model(word), split=split_list))
    for name, help_text in (
        ("--autocast", "keep the weights in float32, and compute in the smaller dtypes with torch.autocast"),
        ("--cold-l2", "clear the GPU's L2 cache before every repetition"),
        ("--training", "time a training step: forward, the mean of the outputs as the loss, backward"),
    ):
        parser.add_argument(name, action="store_true", help=help_text)
    for name, help_text in (
        ("--tf32", "compute float32 in TensorFloat-32 on a GPU"),
        ("--cudnn-benchmark", "let cuDNN try its kernels for each shape, and take the fastest"),
    ):
        parser.add_argument(
            name,
            metavar="SWITCH",
            type=_make_choice_reader(name, SWITCHES),
            default="default",
            help=f"{help_text}: {', '.join(SWITCHES)}; as the process has it if not given",
        )
    parser.add_argument(
        "--threads",
        metavar="N",
        type=make_number_reader("--threads"),
        help="threads that torch computes with on the CPU; as many as torch takes if not given",
    )


def _add_effort(parser: Parser) -> None:
    parser.add_argument(
        "--rounds",
        metavar="N",
        type=make_number_reader("--rounds"),
        help="rounds, in each of which every configuration takes its turn; if not given, at least "
        f"{LEAST_ROUNDS}, and more of those configurations that are not as precise as --precision asks for",
    )
    parser.add_argument(
        "--most-rounds",
        metavar="N",
        type=make_number_reader("--most-rounds"),
        default=MOST_ROUNDS,
        help=f"the most rounds that precision may take; {MOST_ROUNDS} if not given",
    )
    parser.add_argument(
        "--precision",
        dest="half_width",
        metavar="PERCENT",
        type=_make_percent_reader("--precision"),
        help="how far from the median the ends of its interval may be, in percent; if not given, "
        f"{GPU_PRECISION * 100:g} on a GPU and {CPU_PRECISION * 100:g} on the CPU",
    )
    for name, default, help_text in (
        ("--budget", DEFAULTS.budget, "after which nothing more is begun, all that was measured being kept"),
        ("--warm-up", DEFAULTS.warm_up, "to warm up a configuration in every round"),
        ("--seconds", DEFAULTS.seconds, "to take samples of a configuration in every round"),
        (
            "--energy-seconds",
            DEFAULTS.energy_seconds,
            "to measure the energy of a GPU over, 0 for not at all",
        ),
    ):
        parser.add_argument(
            name,
            metavar="S",
            type=_make_seconds_reader(name),
            default=default,
            help=f"seconds {help_text}; {default} if not given",
        )
    parser.add_argument(
        "--least",
        metavar="N",
        type=make_number_reader("--least"),
        default=DEFAULTS.least,
        help=f"the fewest samples in every round, however long one takes; {DEFAULTS.least} if not given",
    )


def _run(args: argparse.Namespace) -> int:
    if args.show:
        _check_shows_only(args)
        with blame_file(*args.show):
            write(build_latency_table(args.show), args)
        return DONE
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
    # Compared with the defaults of a fresh parser, because argparse does not tell what was given.
    parser = Parser(prog="resflops bench")
    _add_arguments(parser)
    defaults = vars(parser.parse_args([]))
    ignored = [
        f"--{name.replace('_', '-')}"
        for name in defaults.keys() - {"show", "format", "out", "columns", "sort", "units", "precision"}
        if getattr(args, name) != defaults[name]
    ]
    if ignored:
        raise UsageError(f"--show measures nothing; leave out {', '.join(sorted(ignored))}")


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
        from resflops.latency.models import MeasurableSpec, UnbuildableModel

        device = choose_device(args.device)
        measured = measure(
            {
                spec: UnbuildableModel(model) if isinstance(model, ResflopsError) else MeasurableSpec(model)
                for spec, model in models.items()
            },
            _list_configurations(args, models, device),
            effort=_choose_effort(args, device),
            flags=Flags(tf32=args.tf32, cudnn_benchmark=args.cudnn_benchmark, threads=args.threads),
            command=_format_command(),
            layers=args.layers,
            so_far=so_far,
            say=say,
            keep=lambda measurements: measurements.save(args.save) if args.save else None,
        )
    return measured, named


def _choose_effort(args: argparse.Namespace, device: str) -> Effort:
    """Choose how long to measure: so many rounds, or until times are as precise as asked for."""
    precision = args.half_width
    if precision is None and args.rounds is None:
        precision = CPU_PRECISION if device == "cpu" else GPU_PRECISION
    least = args.rounds or LEAST_ROUNDS
    return Effort(
        rounds=least,
        most_rounds=None if precision is None else max(args.most_rounds, least),
        precision=precision,
        warm_up=args.warm_up,
        seconds=args.seconds,
        least=args.least,
        energy_seconds=args.energy_seconds,
        budget=args.budget,
    )


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
    models: dict[str, FoundModel | ResflopsError] = {}
    selected = select_models(specs, say=say)
    for one in selected:
        try:
            if one.error:
                raise one.error
            model = find(one.spec)
            for shape in args.input or ():
                _check_input(model, shape)
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
) -> tuple[Configuration, ...]:
    return grid(
        [(spec, shape) for spec, model in models.items() for shape in _list_shapes(model, args.input)],
        device=device,
        batches=args.batch,
        dtypes=args.dtype,
        memory_formats=args.memory_format,
        modes=args.mode,
        autocast=args.autocast,
        cold_l2=args.cold_l2,
        training=args.training,
    )


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


def _make_choice_reader(option: str, choices: object) -> Callable[[str], str]:
    # Not argparse's choices: check_known also suggests the nearest name.
    return lambda name: check_known(option, name, tuple(choices))  # type: ignore[arg-type]


def _make_percent_reader(option: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text.removesuffix("%"))
        except ValueError:
            value = -1.0
        if not 0 < value < 100:
            raise UsageError(f"{option} takes percent, such as 5, got {text!r}")
        return value / 100

    return read


def _make_seconds_reader(option: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < 1e6:
            raise UsageError(f"{option} takes a number of seconds, such as 0.5, got {text!r}")
        return value

    return read


COMMAND = Command(
    description="Times models in rounds, in which all of them take turns, and keeps every sample. "
    "Shows the median with its interval, the share of the device's measured peak, "
    "whether computing or memory traffic is the limit, memory and energy where the device reports them, "
    "and whether the times can be trusted.",
    add_arguments=_add_arguments,
    run=_run,
)
