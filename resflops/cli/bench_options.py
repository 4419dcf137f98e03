"""The options of ``resflops bench``: what is measured, and how long."""

import argparse
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
from resflops.cli.inputs import SHAPES
from resflops.cli.models_argument import add_models
from resflops.cli.parser import STANDARD_OUTPUT, Parser
from resflops.cli.readers import make_number_reader, split_list
from resflops.errors import UsageError
from resflops.latency.configuration import (
    BACKENDS,
    DTYPES,
    MEMORY_FORMATS,
    MODES,
    SWITCHES,
    check_known,
    read_backend,
    read_dtype,
)
from resflops.latency.measurements import Measurements
from resflops.latency.schedule import Effort
from resflops.sources.shapes import read_shape
from resflops.tables.latency import list_latency_columns
from resflops.tables.predictions import list_prediction_columns

__all__ = ["add_arguments", "choose_effort"]

DEFAULTS = Effort()

LEAST_ROUNDS, MOST_ROUNDS = 5, 25
GPU_PRECISION, CPU_PRECISION = 0.02, 0.05


def add_arguments(parser: Parser) -> None:
    """Add the options of ``resflops bench``."""
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
    parser.add_argument(
        "--predict",
        metavar="FILE",
        type=_check_profile_path,
        help="measure nothing, and predict the times from the profile of this machine in FILE, each with the "
        "error of such predictions; if there is no such file, it is made, which takes two minutes",
    )
    # Here --precision says how long to measure.
    columns = dict.fromkeys((*list_latency_columns(), *list_prediction_columns()))
    add_output(parser, decimals="--decimals", columns=tuple(columns))


def _check_save_path(path: str) -> str:
    if path == STANDARD_OUTPUT:
        raise UsageError(
            "--save needs a file, which is updated while measuring; for the result, use --format json"
        )
    return require_writable(path)


def _check_profile_path(path: str) -> str:
    if path == STANDARD_OUTPUT:
        raise UsageError("--predict needs a file, in which the profile of this machine is kept")
    return path if Path(path).is_file() else require_writable(path)


def _add_settings(parser: Parser) -> None:
    # The settings that take several values: every combination of them is measured.
    grid_options: tuple[tuple[str, str, Callable[[str], object], list[object] | None, str], ...] = (
        ("--batch", "N", make_number_reader("--batch"), None,
         "batch sizes; if not given 1, or what an ONNX file fixes"),
        ("--dtype", "NAME", partial(read_dtype, "--dtype"), ["float32"],
         f"element types: {', '.join(DTYPES)}; float32 if not given"),
        ("--memory-format", "NAME", _make_choice_reader("--memory-format", MEMORY_FORMATS), ["contiguous"],
         f"memory formats: {', '.join(MEMORY_FORMATS)}; contiguous if not given"),
        ("--mode", "NAME", _make_choice_reader("--mode", MODES), ["eager"],
         f"ways to launch the kernels: {', '.join(MODES)}; eager if not given"),
        ("--backend", "NAME", partial(read_backend, "--backend"), ["torch"],
         f"what runs the models: {', '.join(BACKENDS)}; torch if not given, and what one does not take is "
         "left out with that one"),
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
            help=f"seconds {help_text}; {default or 'no limit'} if not given",
        )
    parser.add_argument(
        "--least",
        metavar="N",
        type=make_number_reader("--least"),
        default=DEFAULTS.least,
        help=f"the fewest samples in every round, however long one takes; {DEFAULTS.least} if not given",
    )
    parser.add_argument(
        "--most",
        metavar="N",
        type=make_number_reader("--most"),
        help=f"the most samples in every round, however short one is; {DEFAULTS.most} if not given, "
        "or as many as --least",
    )


def choose_effort(args: argparse.Namespace, device: str) -> Effort:
    """Choose how long to measure: so many rounds, or until times are as precise as asked for.

    Raises:
        UsageError: the most samples are fewer than the fewest.
    """
    precision = args.half_width
    if precision is None and args.rounds is None:
        precision = CPU_PRECISION if device == "cpu" else GPU_PRECISION
    most = args.most or max(DEFAULTS.most, args.least)
    if most < args.least:
        raise UsageError(f"--most {most} is less than --least {args.least}; a round takes at least that many")
    least = args.rounds or LEAST_ROUNDS
    return Effort(
        rounds=least,
        most_rounds=None if precision is None else max(args.most_rounds, least),
        precision=precision,
        warm_up=args.warm_up,
        seconds=args.seconds,
        least=args.least,
        most=most,
        energy_seconds=args.energy_seconds,
        budget=args.budget,
    )


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


UNITS = {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
"""How many seconds the units of time are."""


def _make_seconds_reader(option: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        number = text.rstrip("".join(UNITS))
        try:
            value = float(number) * UNITS[text[len(number) :]]
        except (ValueError, KeyError):
            value = -1.0
        if not 0 <= value < 1e6:
            raise UsageError(f"{option} takes a number of seconds, such as 0.5 (or 9m, 1h), got {text!r}")
        return value

    return read
