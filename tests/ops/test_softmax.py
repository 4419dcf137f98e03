"""Softmax: what its cost depends on, and one cost however it is called."""

import pytest
import torch
import torch.nn.functional as F

import resflops
from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import OpRecord

FUNCTIONS = {
    "softmax": lambda x: F.softmax(x, -1),
    "method": lambda x: x.softmax(1),
    "method, in double precision": lambda x: x.softmax(1, torch.float64),
    "special": lambda x: torch.special.softmax(x, 0),
    "log_softmax": lambda x: F.log_softmax(x, 1),
    "softmin": lambda x: F.softmin(x, 1),
    "safe": lambda x: torch.ops.aten._safe_softmax(x, 1),
}
CASES = {name: (function, (2, 3, 4)) for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    assert compare_style(style, *CASES[name]) == set()


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
def test_without_its_dimension_it_has_no_cost(name):
    record = OpRecord(op=name, layer="", input_shapes=((2, 3),), output_shapes=((2, 3),))
    with pytest.raises(MissingAttributeError, match="dim"):
        OPS[name].work(record)
    with pytest.raises(MissingAttributeError, match="dim"):
        OPS[name].gradient.work(record, (0,))


def test_the_element_type_may_be_given_as_the_method_takes_it():
    class Model(torch.nn.Module):
        def forward(self, x):
            return x.softmax(-1, torch.float64)

    assert [op.dtype for op in resflops.trace(Model(), (2, 3)).ops] == ["float64"]
