"""What is given as a model: a spec, a module that was built from one, or an exported program."""

import copy

import pytest
import torch
from torch import nn

import resflops
from resflops.errors import UnknownModelError, UsageError

SMALL = "resnet20"
SHAPE = (1, 3, 32, 32)
MACS = 40_551_040


@pytest.fixture(scope="module")
def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())


@pytest.fixture(scope="module")
def program(network):
    return torch.export.export(network, (torch.zeros(1, 3, 8, 8),))


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param((), id="usual input"),
        pytest.param((SHAPE,), id="shape"),
        pytest.param((torch.zeros(SHAPE),), id="tensor"),
        pytest.param(((torch.zeros(SHAPE),),), id="tuple of a tensor"),
    ],
)
@pytest.mark.parametrize("ask", [resflops.count, resflops.trace])
def test_a_spec_stands_for_its_model_and_names_it(ask, inputs):
    asked = ask(SMALL, *inputs)
    assert asked.model == SMALL
    assert resflops.count(SMALL, *inputs).macs == MACS


def test_a_spec_may_be_run_for_real_or_have_its_zeros_counted():
    assert resflops.trace(SMALL, real=True).execution == "real"
    assert resflops.trace(SMALL, SHAPE, real=True).inputs[0].shape == SHAPE
    assert resflops.trace(SMALL, nonzero=True).weights


def test_a_spec_takes_the_keywords_of_other_counters_too():
    cost = resflops.count(SMALL, input_size=(2, 3, 32, 32))
    assert (cost.model, cost.macs) == (SMALL, 2 * MACS)


def test_a_spec_that_does_not_exist_is_told_its_neighbours():
    with pytest.raises(UnknownModelError, match=r"closest: .*resnet34"):
        resflops.trace("resnet43")


def test_a_model_that_load_has_built_is_called_by_its_spec():
    model = resflops.load("resnet20,num_classes=7")
    assert resflops.count(model, SHAPE).model == "resnet20,num_classes=7"
    assert resflops.trace(model, SHAPE).model == "resnet20,num_classes=7"
    # Nothing was written onto it that would say so: a copy is a model of its own.
    assert resflops.count(copy.deepcopy(model), SHAPE).model == "CifarResNet"


def test_an_exported_program_is_counted_as_the_model_that_it_was_exported_from(network, program):
    assert resflops.count(program, (1, 3, 8, 8)).macs == 6 * 6 * 4 * 27
    own = resflops.trace(network, (1, 3, 8, 8)).ops
    assert resflops.trace(program, (torch.zeros(1, 3, 8, 8),)).ops == own
    # The form of another counter.
    assert resflops.trace(program, input_size=(1, 3, 8, 8)).ops == own


def test_an_exported_program_brings_its_inputs(program, tmp_path):
    torch.export.save(program, tmp_path / "program.pt2")
    assert resflops.count(torch.export.load(tmp_path / "program.pt2")).macs == 6 * 6 * 4 * 27


def test_only_count_takes_a_trace():
    with pytest.raises(UsageError, match="a model is needed here, got the trace of resnet20"):
        resflops.crosscheck(resflops.trace(SMALL))
