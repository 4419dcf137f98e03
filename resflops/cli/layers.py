"""``resflops layers``: show one model layer by layer."""

import argparse

from resflops.cli.arguments import (
    add_memory,
    add_model_input,
    add_nonzero,
    add_output,
    add_strict,
    add_training,
)
from resflops.cli.counting import choose_status, count_model
from resflops.cli.models_argument import add_models_option
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.readers import make_number_reader
from resflops.tables.breakdown import COLUMN_NAMES, build_breakdown

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the model, such as resnet34")
    add_models_option(parser)
    parser.add_argument(
        "--depth",
        metavar="N",
        type=make_number_reader("--depth"),
        help="sum layers up to this depth of the module tree; 1 gives the model's own children",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="also show the layers that cost nothing under the convention and hold no parameters",
    )
    add_model_input(parser)
    add_training(parser)
    add_nonzero(parser)
    add_memory(parser)
    add_strict(parser)
    add_output(parser, columns=COLUMN_NAMES)


def _run(args: argparse.Namespace) -> int:
    counted = count_model(args.model, args)
    table = build_breakdown(
        counted.cost, depth=args.depth, everything=args.all, stored=counted.stored, spec=counted.spec
    )
    if args.memory:
        from resflops.tables.activation_bytes import add_bytes_of_layers

        table = add_bytes_of_layers(table, counted.cost, depth=args.depth)
    write(table, args)
    return choose_status([counted.cost], args)


COMMAND = Command(
    description="Shows what one model costs, with a row for each layer: shapes, parameters, "
    "cost under a convention, receptive field, and the formula with its numbers. "
    "Below it are the stages, if the model names any.",
    add_arguments=_add_arguments,
    run=_run,
)
