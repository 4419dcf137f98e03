"""Laws are written as they are read, and compute what they say."""

from fractions import Fraction

import pytest

from resflops.errors import UsageError
from resflops.sweeps.curves.law import Factor, Law, Term, format_domain, format_law
from resflops.sweeps.curves.sizes import Size


def make(*pieces, first=1, last=99, stride=1, variable="side"):
    return Law(
        figure="total", variable=variable, pieces=pieces, fitted=3, verified=2, first=first, last=last, stride=stride
    )  # fmt: skip


def term(coefficient, *factors):
    return Term(Fraction(coefficient), tuple(Factor(Size(*size), power) for size, power in factors))


@pytest.mark.parametrize(
    ("terms", "text", "at_ten"),
    [
        pytest.param((), "0", 0, id="nothing"),
        pytest.param((term(5),), "5", 5, id="constant"),
        pytest.param((term(1, ((1, 0), 2)), term(-3)), "side² − 3", 97, id="one is left out"),
        pytest.param((term("-1/2", ((1, 0), 1)),), "−1/2·side", -5, id="fraction"),
        pytest.param((term(1234567, ((32, 31), 2)),), "1,234,567·⌈side/32⌉²", 1234567, id="rounded up"),
        pytest.param((term(2, ((4, 0), 3)),), "2·⌊side/4⌋³", 16, id="rounded down"),
        pytest.param((term(2, ((4, 3), 1), ((1, 0), 1)),), "2·⌈side/4⌉·side", 60, id="product"),
        pytest.param((term(2, ((1, -2), 2)),), "2·(side − 2)²", 128, id="shifted"),
        pytest.param((term(2, ((4, 7), 1)),), "2·(⌈side/4⌉ + 1)", 8, id="one more"),
        pytest.param((term(2, ((4, -4), 2)),), "2·(⌊side/4⌋ − 1)²", 2, id="one less"),
        pytest.param((term(2, ((7, 2), 1)),), "2·⌊(side + 2)/7⌋", 2, id="neither"),
    ],
)
def test_a_law_is_written_and_computed(terms, text, at_ten):
    law = make(terms)
    assert str(law) == format_law(law) == text
    assert law.evaluate(10) == at_ten
    assert isinstance(law.evaluate(10), int)


def test_where_all_values_are_multiples_nothing_is_rounded():
    law = make((term(2, ((16, 0), 2)),), first=32, last=96, stride=32)
    assert format_law(law) == "2·(side/16)²"
    law = make((term(2, ((16, 0), 1)),), first=32, last=96, stride=32)
    assert format_law(law) == "2·(side/16)"
    assert format_domain(law) == "side 32 to 96, multiples of 32"


def test_pieces_are_told_apart_by_the_remainder_and_one_that_was_not_counted_is_left_out():
    law = make((term(3),), (), (term(1, ((1, 0), 1)),), first=0, last=8, stride=1, variable="width")
    assert format_law(law) == "3 if width mod 3 = 0; width if width mod 3 = 2"
    assert (law.evaluate(6), law.evaluate(8)) == (3, 8)
    assert [law.tells(value) for value in (6, 7, 8)] == [True, False, True]
    with pytest.raises(
        UsageError, match="says nothing of width = 7: no point was counted where width mod 3 = 1"
    ):
        law.evaluate(7)


def test_a_part_is_a_fraction():
    assert make((term("1/2", ((1, 0), 1)),)).evaluate(3) == Fraction(3, 2)
    assert format_domain(make(first=Fraction(1, 4), last=2, stride=Fraction(1, 4), variable="width")) == (
        "width 1/4 to 2, multiples of 1/4"
    )
