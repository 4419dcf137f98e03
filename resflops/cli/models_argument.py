"""The models that a command is given: words among its options, or after ``--models``."""

import argparse

from resflops.cli.arrange import Values
from resflops.cli.parser import Parser
from resflops.errors import UsageError

__all__ = ["add_models", "add_models_option", "require_models"]


def add_models(parser: Parser, *, text: str) -> None:
    """Add the models of a command that takes several, with the help text of the command."""
    # "*": a command without models gets a message with an example from require_models.
    parser.add_argument("models", metavar="MODEL", nargs="*", help=text)
    add_models_option(parser)


def add_models_option(parser: Parser) -> None:
    """Add the option ``--models``, whose values are positional arguments of the command by another name."""
    option = parser.add_argument(
        "-m",
        "--model",
        "--models",
        dest="also_models",
        metavar="MODEL",
        nargs="+",
        default=[],
        help="another way to give the models; they add up",
    )
    # Whatever follows is a model, until the next option.
    parser.tell_values(option, Values(belong=lambda _: True))
    parser.read_as_positional(option)


def require_models(args: argparse.Namespace, *, purpose: str) -> list[str]:
    """Return the specs and patterns that the user gave.

    Args:
        args: the parsed arguments.
        purpose: what the command does with models, such as ``to compare``.

    Raises:
        UsageError: the user gave none.
    """
    if not args.models:
        raise UsageError(f"no models are given; name the models {purpose}, such as resnet34 vgg19")
    specs: list[str] = args.models
    return specs
