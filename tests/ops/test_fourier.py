"""Fourier transforms: what their cost depends on, and one cost however they are called."""

import pytest
import torch

from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import OpRecord

MATRIX = torch.eye(3) * 4 + 1
FUNCTIONS = {
    "fft": lambda x: torch.view_as_real(torch.fft.fft(x)),
    "fft2": lambda x: torch.view_as_real(torch.fft.fft2(x)),
    "rfft": lambda x: torch.view_as_real(torch.fft.rfft(x)),
    "back": lambda x: torch.fft.irfft(torch.fft.rfft(x)),
}
CASES = {name: (function, MATRIX) for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


@pytest.mark.parametrize("op", ["fft", "rfft", "irfft"])
def test_a_transform_without_its_dimensions_has_no_cost(op):
    record = OpRecord(op=op, layer="", input_shapes=((4, 4),), output_shapes=((4, 4),))
    for ask in (OPS[op].work, lambda record: OPS[op].gradient.work(record, (0,))):
        with pytest.raises(MissingAttributeError, match="dim"):
            ask(record)
