"""Building: on meta where that works, for real where a constructor needs values."""

import random
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from resflops.errors import InputError, ModelError
from resflops.sources import FoundModel, TensorSpec, WithInputs
from resflops.sources.building import build_model, open_found_model
from resflops.sources.found_model import Inputs

META = torch.device("meta")


def make_found(make, **settings):
    return FoundModel(spec="test", make=make, **settings)


class DropRates(nn.Module):
    """Reads a linspace, as timm's networks do."""

    def __init__(self):
        super().__init__()
        self.rates = torch.linspace(0, 0.5, 3).tolist()
        self.layers = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in self.rates)
        self.register_buffer("positions", torch.arange(4))
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0]))


class Mixed(nn.Module):
    """Puts a weight and a table of values together."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.cat([torch.ones(2), torch.arange(2.0)]))


class NeedsValues(nn.Module):
    """Reads an initialised weight, and builds as many layers as that says."""

    def __init__(self):
        super().__init__()
        random.random(), np.random.rand()
        weight = torch.randn(4)
        self.layers = nn.Sequential(
            *(nn.Linear(2, 2) for _ in range(int(weight.numel() + 0 * weight.sum().item())))
        )


def list_devices(module):
    return {tensor.device for tensor in (*module.parameters(), *module.buffers())}


@pytest.mark.parametrize(
    "make",
    [
        partial(nn.Conv2d, 3, 8, 3),
        partial(nn.LSTM, 4, 8),
        partial(nn.TransformerEncoderLayer, 8, 2),
        DropRates,
        Mixed,
    ],
)
def test_a_model_is_built_on_meta(make):
    assert list_devices(build_model(make_found(make))) == {META}


def test_what_a_constructor_reads_numbers_from_has_values():
    assert build_model(make_found(DropRates)).rates == [0, 0.25, 0.5]


def test_a_parameter_moved_to_meta_stays_a_parameter_and_stays_tied():
    def make():
        module = nn.Module()
        module.a = module.b = nn.Parameter(torch.tensor([1.0, 2.0]), requires_grad=False)
        module.c = nn.Linear(2, 2)
        return module

    module = build_model(make_found(make))
    assert module.a is module.b
    assert not module.a.requires_grad
    assert list(dict(module.named_parameters())) == ["a", "c.weight", "c.bias"]


def test_a_model_whose_constructor_needs_values_is_built_for_real_and_says_so():
    opened = open_found_model(make_found(NeedsValues, input_shape=(2,)))
    assert list_devices(opened.module) == {torch.device("cpu")}
    assert len(opened.module.layers) == 4
    (note,) = opened.notes
    assert note.startswith("built for real")


@pytest.mark.parametrize("make", [NeedsValues, partial(nn.Linear, 3, 3)])
def test_the_random_number_generators_are_as_before(make):
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()
    build_model(make_found(make))
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()
    assert torch.equal(before[0], after[0])
    assert before[1] == after[1]
    assert np.array_equal(before[2][1], after[2][1])


def test_on_the_cpu_weights_are_drawn_as_torch_draws_them():
    torch.manual_seed(0)
    expected = nn.Linear(3, 3).weight
    torch.manual_seed(0)
    assert torch.equal(build_model(make_found(partial(nn.Linear, 3, 3)), device="cpu").weight, expected)


def test_a_module_that_existed_before_keeps_its_tensors():
    own = nn.Linear(2, 2)
    weight = own.weight
    assert build_model(make_found(lambda: own)).weight is weight


def test_a_built_model_is_in_eval_mode():
    assert not build_model(make_found(DropRates)).training


def test_a_constructor_that_fails_is_an_error_with_its_own_reason():
    def make():
        raise KeyError("width")

    with pytest.raises(ModelError, match="test could not be built: KeyError: 'width'"):
        build_model(make_found(make))


@pytest.mark.parametrize("made", [None, 3, nn.Linear, WithInputs(3, Inputs())])
def test_what_is_no_module_is_an_error(made):
    with pytest.raises(ModelError, match=r"must give a torch\.nn\.Module"):
        build_model(make_found(lambda: made))


IMAGE = partial(make_found, partial(nn.Conv2d, 3, 8, 3), input_shape=(3, 8, 8))


@pytest.mark.parametrize(
    ("given", "taken"),
    [(None, (1, 3, 8, 8)), ((3, 16, 16), (1, 3, 16, 16)), ((4, 3, 16, 16), (4, 3, 16, 16))],
)
def test_the_input_is_the_usual_one_or_the_one_given(given, taken):
    (image,) = open_found_model(IMAGE(), input_shape=given).args
    assert tuple(image.shape) == taken
    assert image.device == META


@pytest.mark.parametrize("given", [(8, 8), (1, 1, 3, 8, 8), (3, 0, 8), (2**40, 2**40, 8), ()])
def test_a_shape_that_it_cannot_take_is_an_error(given):
    with pytest.raises(InputError):
        open_found_model(IMAGE(), input_shape=given)


class TakesNested(nn.Module):
    def forward(self, tensors, mask, scale):
        return tensors[0] * scale


def test_inputs_may_be_nested_and_named():
    inputs = Inputs(([TensorSpec((2,))],), {"mask": TensorSpec((3,), "bool"), "scale": 2})
    opened = open_found_model(
        make_found(TakesNested, input_shape=(2,), inputs=lambda shape: inputs), device="cpu"
    )
    assert opened.args[0][0].shape == (2,)
    assert opened.kwargs["mask"].dtype is torch.bool
    assert opened.kwargs["scale"] == 2
