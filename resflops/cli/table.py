"""``resflops table``: models side by side."""

import argparse

from resflops.cli.command import Command, Parser, add_model_input, add_output
from resflops.cli.counting import counted
from resflops.cli.output import write
from resflops.errors import UsageError
from resflops.tables import comparison, entry

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "--models",
        nargs="+",
        action="extend",
        metavar="SPEC",
        help="the models, such as resnet34 vgg19 or, with options, resnet34,shortcut=A,num_classes=10",
    )
    add_model_input(parser)
    add_output(parser)


def _run(given: argparse.Namespace) -> int:
    # argparse itself would ask for --models before it reports the --modles that was given.
    if not given.models:
        raise UsageError("no models are given; name those to compare, as in --models resnet34 vgg19")
    write(comparison([entry(found, cost) for found, cost in counted(given.models, given)]), given)
    return 0


COMMAND = Command(
    name="table",
    summary="compare models side by side",
    description="What models cost, one row a model: parameters, the cost under a convention, its ratio "
    "to the dearest model, and the published figure beside ours.",
    add_arguments=_add_arguments,
    run=_run,
)
