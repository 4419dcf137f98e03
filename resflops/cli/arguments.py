"""The arguments that several commands have in common, and the readers of their values."""

from collections.abc import Callable

from resflops.cli.arrange import Values
from resflops.cli.command_line import looks_like_model
from resflops.cli.parser import Parser
from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.errors import UsageError
from resflops.render import find_renderer, list_formats
from resflops.sources.shapes import LONGEST_SIZE, read_shape
from resflops.writing import check_writable

__all__ = [
    "MEASUREMENT_FILES",
    "add_fresh",
    "add_input",
    "add_model_input",
    "add_nonzero",
    "add_output",
    "add_training",
    "make_number_reader",
    "read_shape",
    "require_writable",
]

MEASUREMENT_FILES = Values(belong=lambda word: word.endswith(".json") or not looks_like_model(word))
"""Files of ``resflops bench --save``."""


def add_input(parser: Parser) -> None:
    """Add the option of a command that calls models."""
    parser.add_argument(
        "-i",
        "--input",
        metavar="SHAPE",
        type=read_shape,
        help="shape of the input, such as 3x224x224, or 4x3x224x224 with a batch; "
        "the usual one of each network if not given",
    )


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


def add_strict(parser: Parser) -> None:
    """Add the option that makes an incomplete count a failed check."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 if an op has no rule but did work, so that a figure is only a lower bound",
    )


def add_output(parser: Parser, *, of_checks: bool = False) -> None:
    """Add the options that say how and where to write the result."""
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
        help="write to this file instead of standard output; it is written whole or not at all",
    )
    parser.set_defaults(of_checks=of_checks)


def make_number_reader(option: str) -> Callable[[str], int]:
    """Make a reader of whole numbers from 1 on, which raises UsageError for any other text."""

    def read(text: str) -> int:
        # isdigit() alone would accept the digits of other scripts, and int() refuses thousands of digits.
        if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_SIZE and int(text)):
            raise UsageError(f"{option} must be a whole number of at least 1, got {text!r}")
        return int(text)

    return read


def require_writable(path: str) -> str:
    """Return a path if it can be written to.

    Raises:
        FileError: it cannot be written to.
    """
    # While parsing, before torch is loaded and anything is counted.
    check_writable(path)
    return path
