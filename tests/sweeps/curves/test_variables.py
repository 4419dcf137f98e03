"""What is varied is read from text and from Python alike."""

from decimal import Decimal
from fractions import Fraction

import pytest

from resflops.errors import UsageError
from resflops.sweeps.curves.variables import make_variable, read_variable


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("side=32..35", "side", (32, 33, 34, 35)),
        ("seq=16..64:16", "seq", (16, 32, 48, 64)),
        ("seq=16..63:16", "seq", (16, 32, 48)),
        ("batch=8,1,2,8", "batch", (1, 2, 8)),
        ("batch = 1..3, 8", "batch", (1, 2, 3, 8)),
        ("width_mult=0.25..1:0.25", "width_mult", (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), 1)),
        ("dropout=0,0.5", "dropout", (0, Fraction(1, 2))),
    ],
)
def test_a_variable_is_read(text, name, values):
    variable = read_variable(text)
    assert (variable.name, variable.values) == (name, values)
    assert make_variable(name, values) == variable


def test_numbers_of_python_are_what_they_are_written_as():
    assert make_variable("width", [0.1, Decimal("0.2"), Fraction(3, 10)]).values == (
        Fraction(1, 10),
        Fraction(1, 5),
        Fraction(3, 10),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("side", "--over 'side' must say what is varied and its values"),
        ("side=", "'' is neither a number nor a range"),
        ("=1..3", "must say what is varied"),
        ("side=a..b", "'a..b' is neither a number nor a range"),
        ("side=1-3", "'1-3' is neither a number nor a range"),
        ("side=9..3", "the range 9..3 is empty"),
        ("side=1..3:0", "the range 1..3:0 is empty"),
        ("side=0..3", "side must be a whole number of at least 1, got 0"),
        ("batch=1.5", "batch must be a whole number of at least 1, got 1.5"),
        ("width=1..99999999", "has 99,999,999 values"),
    ],
)
def test_what_is_no_variable_is_refused(text, message):
    with pytest.raises(UsageError) as raised:
        read_variable(text)
    assert message in str(raised.value)


@pytest.mark.parametrize("value", ["many", None, True, float("nan"), float("inf"), [1]])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(UsageError, match="values must be numbers"):
        make_variable("width", [1, value])


def test_no_values_are_refused():
    with pytest.raises(UsageError, match="side is given no values"):
        make_variable("side", [])
