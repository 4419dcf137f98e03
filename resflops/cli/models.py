"""``resflops models``: list the built-in networks, or search all models that are installed."""

import argparse

from resflops.cli.arguments import add_output
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.status import DONE
from resflops.models.catalog import NETWORKS
from resflops.tables.listings import build_model_table, build_network_table

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "pattern",
        metavar="PATTERN",
        nargs="*",
        help="list the models whose names contain this, such as vit, or match it, such as 'timm/resnet*', "
        "or all of a source, such as timm; the built-in networks if not given",
    )
    add_output(parser)


def _run(args: argparse.Namespace) -> int:
    if not args.pattern:
        write(build_network_table(), args)
        return DONE
    from resflops.sources.searching import search_models

    found = list(dict.fromkeys(spec for pattern in args.pattern for spec in search_models(pattern)))
    if all(spec in NETWORKS for spec in found):
        write(build_network_table([NETWORKS[spec] for spec in found]), args)
    else:
        write(build_model_table(found, " ".join(args.pattern)), args)
    return DONE


COMMAND = Command(
    description="Lists the built-in networks by family, with the usual input and the options of each; with a "
    "pattern, all installed models that match it, also those of torchvision, timm and Hugging Face.",
    add_arguments=_add_arguments,
    run=_run,
)
