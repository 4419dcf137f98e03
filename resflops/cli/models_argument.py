"""The option ``--models`` of the commands that take several models."""

import argparse

from resflops.cli.parser import Parser
from resflops.errors import UsageError

__all__ = ["add_models", "require_models"]


def add_models(parser: Parser, *, text: str) -> None:
    """Add the option ``--models``, with the help text of the command."""
    # Not required=True: argparse would ask for --models before it reports the --modles that was given.
    # extend: the option may be given several times, and the models add up.
    parser.add_argument("--models", nargs="+", action="extend", metavar="SPEC", help=text)


def require_models(args: argparse.Namespace, *, purpose: str) -> list[str]:
    """Return the specs and patterns that the user gave with ``--models``.

    Args:
        args: the parsed arguments.
        purpose: what the command does with models, such as ``to compare``.

    Raises:
        UsageError: the user gave none.
    """
    if not args.models:
        raise UsageError(f"no models are given; name the models {purpose}, as in --models resnet34 vgg19")
    specs: list[str] = args.models
    return specs
