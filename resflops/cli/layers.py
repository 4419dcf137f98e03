"""``resflops layers``: show one model layer by layer."""

import argparse
from functools import partial
from pathlib import Path

from resflops.cli.arguments import (
    add_memory,
    add_model_input,
    add_nonzero,
    add_output,
    add_strict,
    add_training,
    read_file_name,
)
from resflops.cli.counting import choose_status, count_model
from resflops.cli.models_argument import add_models_option
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.readers import make_number_reader
from resflops.cost import Cost
from resflops.errors import UsageError
from resflops.sources import find
from resflops.sources.labels import split_label
from resflops.sources.model_files import is_graph_file
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
    parser.add_argument(
        "--annotate",
        metavar="FILE",
        type=partial(read_file_name, "--annotate", (".onnx",)),
        help="of an ONNX file, also write a copy in which every node says what it costs, for a viewer such "
        "as Netron",
    )
    add_strict(parser)
    add_output(parser, columns=COLUMN_NAMES)


def _run(args: argparse.Namespace) -> int:
    if args.annotate:
        _check_is_graph(args.model)
    counted = count_model(args.model, args)
    table = build_breakdown(
        counted.cost, depth=args.depth, everything=args.all, stored=counted.stored, spec=counted.spec
    )
    if args.memory:
        from resflops.tables.activation_bytes import add_bytes_of_layers

        table = add_bytes_of_layers(table, counted.cost, depth=args.depth)
    if args.annotate:
        _annotate(counted.cost, args)
    write(table, args)
    return choose_status([counted.cost], args)


def _check_is_graph(spec: str) -> None:
    if not is_graph_file(split_label(spec)[1]):
        raise UsageError(
            f"--annotate writes a copy of an ONNX file, which {spec} is not; give the path of one, as in "
            "resflops layers model.onnx --annotate annotated.onnx"
        )


def _annotate(cost: Cost, args: argparse.Namespace) -> None:
    """Write the copy of the file that says what its nodes cost."""
    from resflops.sources.onnx_files.annotations import write_annotated

    source = find(split_label(args.model)[1]).graph
    assert isinstance(source, Path)  # noqa: S101 - it was checked before
    write_annotated(source, cost, Path(args.annotate))


COMMAND = Command(
    description="Shows what one model costs, with a row for each layer: shapes, parameters, "
    "cost under a convention, receptive field, and the formula with its numbers. "
    "Below it are the stages, if the model names any.",
    add_arguments=_add_arguments,
    run=_run,
)
