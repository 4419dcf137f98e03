"""What is measured of a spec: its usual inputs, or those that come with the model."""

import pytest
import torch
from torch import nn

from resflops.errors import InputError
from resflops.latency import Configuration
from resflops.latency.models import MeasurableSpec
from resflops.sources import find

FACTORY = """
import torch
from torch import nn

def make():
    return nn.Linear(8, 4), torch.zeros(6, 8)

def make_uneven():
    return nn.Bilinear(8, 8, 4), (torch.zeros(1, 8), torch.zeros(6, 8))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "factories.py").write_text(FACTORY)


def configure(**settings):
    return Configuration(model="m", device="cpu", **settings)


def list_shapes(model, configuration):
    return [tuple(each.shape) for each in model.build_inputs(configuration)[0]]


def test_a_model_that_brings_its_inputs_has_their_batch_if_nobody_asks_for_one():
    model = MeasurableSpec(find("factories.py:make"))
    assert model.settle(configure(), batch_given=False) == configure(batch=6)
    assert model.settle(configure(batch=2)) == configure(batch=2)
    assert list_shapes(model, configure(batch=6)) == [(6, 8)]
    assert model.count(configure(batch=6)).macs == 6 * 32


def test_another_batch_replaces_that_of_the_inputs_that_it_brings():
    model = MeasurableSpec(find("factories.py:make"))
    assert list_shapes(model, configure(batch=2)) == [(2, 8)]
    assert model.count(configure(batch=2)).macs == 2 * 32


def test_a_batch_that_cannot_be_replaced_is_refused():
    model = MeasurableSpec(find("factories.py:make_uneven"))
    assert model.settle(configure(), batch_given=False) == configure()
    assert list_shapes(model, configure()) == [(1, 8), (6, 8)]
    with pytest.raises(InputError, match="its inputs do not all begin with the same size"):
        model.build_inputs(configure(batch=2))


def test_a_model_with_a_usual_input_has_the_batch_that_is_asked_for():
    model = MeasurableSpec(find("resnet20"))
    given = configure(input_shape=(3, 32, 32))
    assert model.settle(given, batch_given=False) == given
    assert list_shapes(model, configure(batch=3, input_shape=(3, 32, 32))) == [(3, 3, 32, 32)]


@pytest.mark.parametrize("dynamic", [True, False])
def test_the_batch_of_an_exported_program_is_that_which_it_was_exported_with(dynamic):
    shapes = ({0: torch.export.Dim("batch", max=64)},) if dynamic else None
    program = torch.export.export(nn.Linear(8, 4), (torch.zeros(6, 8),), dynamic_shapes=shapes)
    torch.export.save(program, "program.pt2")
    model = MeasurableSpec(find("program.pt2"))
    assert model.settle(configure(), batch_given=False) == configure(batch=6)
    assert model.count(configure(batch=6)).macs == 6 * 32
    if dynamic:
        assert list_shapes(model, configure(batch=2)) == [(2, 8)]
        assert model.count(configure(batch=2)).macs == 2 * 32
    else:
        with pytest.raises(
            InputError, match="size 0 of input is 2, but the program was exported for 6 there"
        ):
            model.build_inputs(configure(batch=2))


def test_what_cannot_be_built_keeps_what_is_asked_for():
    torch.jit.save(torch.jit.script(nn.Linear(8, 4)), "script.pt")
    model = MeasurableSpec(find("script.pt"))
    assert model.settle(configure(), batch_given=False) == configure()
    with pytest.raises(
        InputError, match=r"script\.pt does not say the shape of its input; give it, with the batch"
    ):
        model.count(configure())
    assert model.count(configure(batch=2, input_shape=(8,))).macs == 2 * 32
