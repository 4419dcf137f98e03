"""What is varied, and the values that it takes: ``side=32..512``, ``seq=16..1024:16``, ``batch=1,2,4,8``."""

import re
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

from msgspec import Struct

from resflops.errors import UsageError
from resflops.sweeps.curves.polynomials import Number

__all__ = ["EXAMPLES", "SIZES", "Variable", "make_variable", "read_variable", "write_number"]

SIZES = ("side", "batch", "seq")
"""What is varied in the input. Any other name is that of an option of the model's spec."""

MOST_VALUES = 10_000

EXAMPLES = "side=32..512, batch=1..64, seq=16..1024:16 or, for an option of hf/bert, num_hidden_layers=1..24"
"""What is said of how a variable is written."""

NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
RANGE = re.compile(rf"({NUMBER})\s*\.\.\s*({NUMBER})(?:\s*:\s*({NUMBER}))?")


class Variable(Struct, frozen=True, kw_only=True):
    """What is varied, and its values."""

    name: str
    """``side``, ``batch``, ``seq``, or an option of the spec."""
    values: tuple[Number, ...]
    """In ascending order, each once."""


def read_variable(text: str) -> Variable:
    """Read what is varied, and over what.

    >>> read_variable("side=32..128:32")
    Variable(name='side', values=(32, 64, 96, 128))
    >>> read_variable("width=0.25,0.5,1").values
    (Fraction(1, 4), Fraction(1, 2), 1)

    Raises:
        UsageError: it names nothing, or gives no values.
    """
    name, equals, given = (part.strip() for part in text.partition("="))
    if not equals or not name.isidentifier():
        raise UsageError(f"--over {text!r} must say what is varied and its values, as in {EXAMPLES}")
    values: list[Number] = []
    for part in given.split(","):
        values += _read_values(text, part.strip())
    return make_variable(name, values)


def make_variable(name: str, values: Iterable[object]) -> Variable:
    """Make what is varied of a name and of numbers.

    Raises:
        UsageError: there are no values, too many, or some that are no numbers or below what there can be.
    """
    numbers = sorted({_read_number(name, value) for value in values})
    if not numbers:
        raise UsageError(f"{name} is given no values; give some, as in {EXAMPLES}")
    if len(numbers) > MOST_VALUES:
        raise UsageError(
            f"{name} is given {len(numbers):,} values, and the model is counted at each; give at most "
            f"{MOST_VALUES:,}, with a step as in {name}={numbers[0]}..{numbers[-1]}:16"
        )
    if name in SIZES and (numbers[0] < 1 or any(isinstance(number, Fraction) for number in numbers)):
        wrong = next(number for number in numbers if number < 1 or isinstance(number, Fraction))
        raise UsageError(f"{name} must be a whole number of at least 1, got {write_number(wrong)}")
    return Variable(name=name, values=tuple(numbers))


def _read_values(text: str, part: str) -> list[Number]:
    found = RANGE.fullmatch(part)
    if found is None:
        if not re.fullmatch(NUMBER, part):
            raise UsageError(
                f"--over {text!r}: {part!r} is neither a number nor a range; write first..last or "
                f"first..last:step, as in {EXAMPLES}"
            )
        return [_parse(part)]
    first, last = _parse(found[1]), _parse(found[2])
    step = _parse(found[3] or "1")
    if first > last or not step:
        raise UsageError(
            f"--over {text!r}: the range {part} is empty; write it upwards, with a step above 0, as in "
            f"{EXAMPLES}"
        )
    count = (last - first) // step + 1
    if count > MOST_VALUES:
        raise UsageError(
            f"--over {text!r}: the range {part} has {int(count):,} values, and the model is counted at each; "
            f"give at most {MOST_VALUES:,}, with a larger step"
        )
    return [first + step * place for place in range(int(count))]


def _parse(text: str) -> Number:
    return _simplify(Fraction(Decimal(text)))


def _read_number(name: str, value: object) -> Number:
    """Read a number from Python: an int, a Fraction, or what a float is written as."""
    if isinstance(value, int | float | Fraction | Decimal) and not isinstance(value, bool):
        with suppress(ValueError):
            return _simplify(Fraction(repr(value) if isinstance(value, float) else value))
    raise UsageError(f"{name} is given the value {value!r}; values must be numbers, as in range(1, 65)")


def _simplify(value: Fraction) -> Number:
    return value.numerator if value.denominator == 1 else value


def write_number(value: Number) -> str:
    """Write a value as it is given in a spec.

    >>> write_number(3), write_number(Fraction(1, 4))
    ('3', '0.25')
    """
    return str(value) if isinstance(value, int) else str(float(value))
