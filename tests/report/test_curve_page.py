"""The page about curves states the laws, computes with them in whole numbers, and has every point."""

from fractions import Fraction

import pytest
from msgspec.structs import replace

from resflops.cost.convention import find_convention
from resflops.report.curve_page import render_curve_page
from resflops.sweeps.curves.assembling import CountedPoint, make_curve
from resflops.sweeps.curves.law import Factor, Law, Term
from resflops.sweeps.curves.observations import Observation
from resflops.sweeps.curves.records import Point
from resflops.sweeps.curves.sizes import Size
from resflops.sweeps.curves.variables import make_variable

MACS = find_convention("macs")


def make(model, values, compute, *, over="side", refused=()):
    """A curve of figures that a function gives."""

    def count(value):
        if value in refused:
            return CountedPoint(point=Point(value=value, spec=model, error=f"{model} refuses {value}"))
        total = compute(value)
        observed = Observation(
            value=value, figures={"total": total}, parts={"total": {("", "op"): total}}, sizes={}
        )
        return CountedPoint(point=Point(value=value, spec=model, total=total), observation=observed)

    variable = make_variable(over, values)
    return make_curve(model, variable, MACS, [count(value) for value in variable.values])


# Larger than what a number of JavaScript holds without rounding.
LARGE = make("net", range(10, 20), lambda side: 10**17 * side**2 + 1)


def read_computed(page, value):
    box = page.find_element("id", "value")
    box.clear()
    box.send_keys(str(value))
    return page.find_element("id", "computed").text.split("\n")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (12, "counted"),
        (25, "by the law, beyond the counted 10 to 19"),
    ],
)
def test_the_law_is_computed_exactly(opened_curves, value, told):
    page = opened_curves([LARGE])
    assert read_computed(page, value) == ["MACs", f"{10**17 * value**2 + 1:,} {told}"]


def test_nothing_is_claimed_between_the_counted_values(opened_curves):
    page = opened_curves([make("net", range(32, 200, 32), lambda side: side**2)])
    assert read_computed(page, 33) == [
        "MACs",
        "1,089 between the counted values: the law claims nothing here",
    ]


def test_a_remainder_that_was_not_counted_is_unknown(opened_curves):
    piece = (Term(Fraction(2), (Factor(Size(), 1),)),)
    law = Law(
        figure="total", variable="side", fitted=3, verified=3, first=10, last=19, pieces=(piece, (), piece)
    )
    page = opened_curves([replace(LARGE, laws=(law,))])
    assert read_computed(page, 21) == ["MACs", "42 by the law, beyond the counted 10 to 19"]
    assert read_computed(page, 22) == ["MACs", "unknown no value with its remainder was counted"]


def test_remainders_and_rounded_sizes_are_computed_as_python_does(opened_curves):
    curve = make("net", range(4, 20), lambda side: side * (side + side % 2) // 2)
    assert curve.law.period == 2
    page = opened_curves([curve])
    for side in (4, 7, 18, 19):
        assert read_computed(page, side) == ["MACs", f"{curve.law.evaluate(side):,} counted"]
    law = Law(
        figure="total", variable="side", fitted=3, verified=3, first=4, last=19,
        pieces=((Term(Fraction(3), (Factor(Size(4, -9), 2),)),),),
    )  # fmt: skip
    page = opened_curves([replace(curve, laws=(law,))])
    for side in (4, 8, 13, 19):
        assert read_computed(page, side) == ["MACs", f"{law.evaluate(side):,} counted"]


def test_what_is_no_value_is_said(opened_curves):
    page = opened_curves([LARGE])
    assert read_computed(page, "0") == ["Give a whole number of at least 1."]


def test_the_page_has_the_laws_the_picture_and_every_point(opened_curves):
    curves = [
        make("first", range(1, 61), lambda batch: 7 * batch, over="batch", refused={3}),
        make("second", range(1, 61), lambda batch: 9 * batch + batch % 7, over="batch"),
    ]
    page = opened_curves(curves)
    text = page.find_element("tag name", "body").text
    assert "first: MACs = 7·batch" in text
    assert "exact on all 59 counted points (batch 1 to 60): found from 2, held against 57 others" in text
    assert "second: MACs = 9·batch if batch mod 7 = 0; 9·batch + 1 if batch mod 7 = 1; " in text
    rows = page.find_elements("css selector", "#points-heading ~ .scroll tbody tr")
    assert len(rows) == 120
    assert "first refuses 3" in rows[2].text
    picture = page.find_element("css selector", "picture img")
    assert picture.get_property("naturalWidth") > 400
    assert "MACs against batch" in picture.get_attribute("alt")


def test_names_are_text(opened_curves, hostile_names):
    name = hostile_names[1]
    page = opened_curves([make(name, range(1, 9), lambda batch: batch, over="batch")])
    assert name in page.find_element("tag name", "h1").text


def test_without_a_law_the_page_says_so():
    page = render_curve_page([make("net", range(1, 9), lambda batch: 2**batch, over="batch")])
    assert "The figures follow no law that was looked for" in page
    assert "the MACs of 8 points follow no law" in page
    assert 'id="value"' not in page
