"""What cases are called."""

import pytest

from resflops.sweeps.cases import Case


@pytest.mark.parametrize(
    ("shape", "batch", "label"),
    [
        (None, None, "net"),
        ((3, 224, 224), None, "net 3x224x224"),
        ((3, 224, 224), 8, "net 3x224x224 batch 8"),
        (None, 8, "net batch 8"),
    ],
)
def test_a_case_is_called_by_its_model_and_its_input(shape, batch, label):
    assert Case(number=0, name="net", input_shape=shape, batch=batch).label == label
