"""What is asked of declarations by an op's name."""

import pytest

from resflops.ops import is_free, is_of_family


@pytest.mark.parametrize(
    ("name", "family", "expected"),
    [
        ("conv2d", "convolution", True),
        ("conv2d", "matmul", False),
        ("convnets.Block", "convolution", False),
        ("conv", "convolution", False),
        ("expand", "arithmetic", False),
    ],
)
def test_a_family_is_declared_and_not_guessed_from_a_name(name, family, expected):
    assert is_of_family(name, family) is expected


@pytest.mark.parametrize(("name", "expected"), [("reshape", True), ("relu", False), ("view_of_mine", False)])
def test_an_op_is_free_where_it_is_declared_so(name, expected):
    assert is_free(name) is expected
