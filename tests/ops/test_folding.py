"""What adds overlapping blocks up costs the same however it is called."""

import pytest
import torch.nn.functional as F

CASES = {"col2im": (lambda x: F.fold(x, (4, 4), 2), (2, 12, 9))}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()
