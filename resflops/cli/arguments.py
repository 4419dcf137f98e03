"""The arguments that several commands have in common, and the readers of their values."""

from collections.abc import Sequence
from pathlib import Path

from resflops.cli.arrange import Values
from resflops.cli.arrangement_options import add_arrangement
from resflops.cli.command_line import looks_like_model
from resflops.cli.inputs import add_input
from resflops.cli.parser import STANDARD_OUTPUT, Parser
from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.errors import UsageError
from resflops.render import find_renderer, list_formats
from resflops.storage.writing import check_writable

__all__ = [
    "MEASUREMENT_FILES",
    "add_fresh",
    "add_memory",
    "add_model_input",
    "add_nonzero",
    "add_output",
    "add_training",
    "read_file_name",
    "require_writable",
]

MEASUREMENT_FILES = Values(belong=lambda word: word.endswith(".json") or not looks_like_model(word))
"""Files of ``resflops bench --save``."""


def add_model_input(parser: Parser) -> None:
    """Add the options of a command that counts models."""
    add_input(parser)
    convention = parser.add_argument(
        "--convention",
        metavar="NAME",
        type=find_convention,
        # A text, which argparse passes through type only if the option is not given.
        default=DEFAULT_CONVENTION,
    )
    parser.explain_when_asked(convention, _explain_convention)
    add_fresh(parser)
    # count_models reads both; a command that can show them adds the option, and others do without.
    parser.set_defaults(training=False, nonzero=False)


def _explain_convention() -> str:
    # From counters, so that the conventions of the peers are registered, too.
    from resflops.counters import CONVENTIONS

    return f"what to count: {', '.join(CONVENTIONS)}; {DEFAULT_CONVENTION} if not given"


def add_fresh(parser: Parser) -> None:
    """Add the option that leaves stored traces aside."""
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="trace every model now, even if a trace of it ships with resflops or is in the cache, "
        "and store the new one there",
    )


def add_training(parser: Parser) -> None:
    """Add the option that also counts the backward pass."""
    parser.add_argument(
        "--training",
        action="store_true",
        help="also count the backward pass: the gradients of the trainable parameters, and of everything "
        "between them and the output",
    )


def add_nonzero(parser: Parser) -> None:
    """Add the option that also counts the MACs without the zeros in the weights."""
    parser.add_argument(
        "--nonzero",
        action="store_true",
        help="also count the MACs whose weight is not zero, as for a pruned model; "
        "for this the model is built with its weights",
    )


def add_memory(parser: Parser) -> None:
    """Add the option that also shows the bytes of activations."""
    parser.add_argument(
        "--memory",
        action="store_true",
        help="also show the bytes that are written, and those that training keeps for the backward pass; "
        "resflops memory shows the peak",
    )


def add_strict(parser: Parser) -> None:
    """Add the option that makes an incomplete count a failed check."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 if an op has no rule but did work, so that a figure is only a lower bound",
    )


def add_output(
    parser: Parser, *, of_checks: bool = False, columns: Sequence[str] = (), decimals: str = "--precision"
) -> None:
    """Add the options that say how and where to write the result.

    Args:
        parser: the parser of the command.
        of_checks: whether the command checks something.
        columns: the columns that its table may have, where making the table takes long.
        decimals: the name of the option that sets how many decimals are shown.
    """
    add_arrangement(parser, columns, decimals=decimals)
    parser.add_argument(
        "--format",
        metavar="NAME",
        type=lambda name: find_renderer(name, of_checks=of_checks).name,
        help=f"one of {', '.join(list_formats(of_checks=of_checks))}; "
        "by default the format of the ending of FILE, or terminal without a file",
    )
    parser.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        type=require_writable,
        help="write to this file instead of standard output, which - stands for; "
        "it is written whole or not at all",
    )
    parser.set_defaults(of_checks=of_checks)


def read_file_name(option: str, endings: tuple[str, ...], name: str) -> str:
    """Read the name of a file to write: check that it can be written, and that its ending says what it holds.

    Raises:
        UsageError: it has another ending.
        FileError: it cannot be written to.
    """
    if Path(name).suffix.lower() not in endings:
        path = Path(name)
        wanted = path.with_suffix(endings[0]) if path.name else f"model{endings[0]}"
        raise UsageError(f"{option} {name}: the file must end in {' or '.join(endings)}, as in {wanted}")
    return require_writable(name)


def require_writable(path: str) -> str:
    """Return a path if it can be written to; ``-`` stands for standard output.

    Raises:
        FileError: it cannot be written to.
    """
    # While parsing, before torch is loaded and anything is counted.
    if path != STANDARD_OUTPUT:
        check_writable(path)
    return path
