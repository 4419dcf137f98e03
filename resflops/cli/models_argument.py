"""The option ``--models`` of the commands that work on models of the user's choice."""

import argparse

from resflops.cli.command import Parser
from resflops.errors import UsageError

__all__ = ["add_models", "require_models"]


def add_models(parser: Parser, *, text: str) -> None:
    """The option, with its help."""
    # Not required: argparse itself would ask for --models before it reports the --modles that was given.
    parser.add_argument("--models", nargs="+", action="extend", metavar="SPEC", help=text)


def require_models(given: argparse.Namespace, *, purpose: str) -> list[str]:
    """The specs and patterns that were given.

    Args:
        given: the arguments.
        purpose: what the command does with models, such as ``to compare``.

    Raises:
        UsageError: none was.
    """
    if not given.models:
        raise UsageError(f"no models are given; name those {purpose}, as in --models resnet34 vgg19")
    specs: list[str] = given.models
    return specs
