"""``resflops table``: compare models side by side."""

import argparse
from typing import TYPE_CHECKING

from resflops.cli.arguments import (
    MEASUREMENT_FILES,
    add_memory,
    add_model_input,
    add_nonzero,
    add_output,
    add_strict,
    add_training,
)
from resflops.cli.counting import choose_status, count_models
from resflops.cli.failures import warn_of_failures
from resflops.cli.models_argument import add_models, require_models
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.status import INTERRUPTED
from resflops.tables.comparison import COLUMN_NAMES, Entry, build_comparison, note_interrupt

if TYPE_CHECKING:
    from resflops.latency.measurements import Measurements

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    add_models(
        parser,
        text="the models, such as resnet34 vgg19, or with options resnet34,shortcut=A,num_classes=10; "
        "torchvision/resnet50, timm/vit_base_patch16_224, hf/bert, package.module:factory; "
        "or a pattern in quotes, such as 'timm/resnet*'",
    )
    add_model_input(parser)
    add_training(parser)
    add_nonzero(parser)
    add_memory(parser)
    latency = parser.add_argument(
        "--latency",
        nargs="+",
        metavar="FILE",
        # Loaded while parsing, so that a wrong file is reported before anything is counted.
        type=_load_measurements,
        help="show the times of these files, which resflops bench --save has written, next to the costs",
    )
    parser.tell_values(latency, MEASUREMENT_FILES)
    add_strict(parser)
    add_output(parser, columns=COLUMN_NAMES)


def _load_measurements(path: str) -> "Measurements":
    from resflops.latency.measurements import Measurements

    return Measurements.load(path)


def _run(args: argparse.Namespace) -> int:
    counted = count_models(require_models(args, purpose="to compare"), args)
    table = build_comparison(counted.results, notes=[note_interrupt(counted.left)] if counted.left else [])
    if args.memory:
        from resflops.tables.activation_bytes import add_bytes_of_models

        table = add_bytes_of_models(
            table, [one.cost if isinstance(one, Entry) else None for one in counted.results]
        )
    costs = [one.cost for one in counted.entries]
    if args.latency:
        from resflops.tables.cost_and_latency import build_cost_and_latency

        specs = {one.cost.model: one.spec for one in counted.entries if one.spec}
        stored = {one.cost.model: one.stored for one in counted.entries}
        table = build_cost_and_latency(costs, args.latency, below=table, stored=stored, specs=specs)
    write(table, args)
    warn_of_failures({each.model: each.reason for each in counted.failures}, args, verb="count")
    if counted.left:
        return INTERRUPTED
    return choose_status(costs, args, failed=bool(counted.failures))


COMMAND = Command(
    description="Compares what models cost, with a row for each model: parameters, the cost under a "
    "convention, its ratio to the most expensive model, and the published figure next to ours.",
    add_arguments=_add_arguments,
    run=_run,
)
