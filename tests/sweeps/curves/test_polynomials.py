"""Interpolation is exact, and a fit is none unless it is exact everywhere."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resflops.sweeps.curves.polynomials import (
    HIGHEST_DEGREE,
    Polynomial,
    fit_polynomial,
    interpolate,
)

numbers = st.fractions(min_value=-(10**6), max_value=10**6, max_denominator=1000)
polynomials = st.lists(numbers, min_size=1, max_size=HIGHEST_DEGREE + 1).filter(
    lambda coefficients: len(coefficients) == 1 or coefficients[-1]
)
places = st.lists(numbers, min_size=HIGHEST_DEGREE + 2, max_size=HIGHEST_DEGREE + 4, unique=True)


@settings(max_examples=30)
@given(polynomials, places)
def test_any_polynomial_is_recovered_from_its_points(coefficients, values):
    polynomial = Polynomial(tuple(coefficients))
    points = [(value, polynomial.evaluate(value)) for value in values]
    assert interpolate(points) == polynomial
    assert fit_polynomial(points) == polynomial


@settings(max_examples=30)
@given(polynomials, places, st.data())
def test_a_point_that_is_off_by_the_least_leaves_no_fit_of_that_degree(coefficients, values, data):
    polynomial = Polynomial(tuple(coefficients))
    wrong = data.draw(st.integers(0, len(values) - 1))
    points = [
        (value, polynomial.evaluate(value) + (Fraction(1, 10**9) if place == wrong else 0))
        for place, value in enumerate(values)
    ]
    fitted = fit_polynomial(points)
    assert fitted is None or fitted.degree > polynomial.degree


@settings(max_examples=30)
@given(st.lists(numbers, min_size=1, max_size=4), st.lists(numbers, min_size=1, max_size=3), numbers)
def test_a_polynomial_of_a_polynomial_is_one(outer, inner, value):
    outer, inner = Polynomial(tuple(outer)), Polynomial(tuple(inner))
    assert outer.compose(inner).evaluate(value) == outer.evaluate(inner.evaluate(value))


@pytest.mark.parametrize(
    ("points", "coefficients"),
    [
        pytest.param([(1, 7), (2, 7)], (7,), id="constant"),
        pytest.param([(1, 5), (2, 8), (4, 14)], (2, 3), id="line"),
        pytest.param([(0, 1), (1, 2), (2, 5), (3, 10)], (1, 0, 1), id="parabola"),
        pytest.param([(2, 1), (4, 6), (6, 15), (8, 28)], (0, Fraction(-1, 2), Fraction(1, 2)), id="half"),
    ],
)
def test_the_least_degree_is_chosen(points, coefficients):
    assert fit_polynomial(points) == Polynomial(tuple(map(Fraction, coefficients)))


@pytest.mark.parametrize(
    "points",
    [
        pytest.param([(1, 7)], id="one point"),
        pytest.param([(1, 7), (2, 8)], id="two points make a line that nothing checks"),
        pytest.param([(value, 2**value) for value in range(12)], id="exponential"),
    ],
)
def test_where_nothing_is_left_to_check_there_is_no_fit(points):
    assert fit_polynomial(points) is None
