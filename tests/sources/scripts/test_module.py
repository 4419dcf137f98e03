"""What stands for a scripted module has its layers, modes and tensors, and gives what it gives."""

import copy

import pytest
import torch
from torch import nn

import resflops
from resflops.sources.scripts import find_compiled, make_module
from tests.tracing.torchscript.networks import Net, save, trace

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]

IMAGE = (2, 3, 9, 9)


def test_layers_are_named_and_classed_as_those_of_the_model():
    model = Net()
    module = make_module(save(torch.jit.script(model)))
    own, others = dict(model.named_modules()), dict(module.named_modules())
    assert own.keys() == others.keys()
    assert {name: type(layer).__name__ for name, layer in own.items()} == {
        name: type(layer).__name__ for name, layer in others.items()
    }
    records = {record.path: record for record in resflops.trace(module, IMAGE).modules}
    assert (records["stem"].cls, records["stem"].base) == ("Conv2d", "Conv2d")


def test_parameters_share_the_memory_of_the_scripted_module():
    script = torch.jit.script(Net())
    module = make_module(script)
    for name, parameter in script.named_parameters():
        assert module.get_parameter(name).data_ptr() == parameter.data_ptr()
        assert isinstance(module.get_parameter(name), nn.Parameter)
    assert module.get_parameter("mix.0.weight") is module.get_parameter("mix.1.weight")


def test_modes_are_those_of_the_scripted_module_and_can_be_set():
    script = torch.jit.script(Net())
    module = make_module(script)
    assert all(layer.training for layer in module.modules())
    image = torch.rand(IMAGE)
    module.eval()
    assert torch.equal(module(image), script.eval()(image))


def test_a_copy_and_another_type_work_on_their_own_weights():
    module = make_module(torch.jit.script(Net().eval()))
    image = torch.rand(IMAGE)
    before = module(image)
    copied = copy.deepcopy(module)
    with torch.no_grad():
        copied.get_parameter("head.weight").zero_()
        copied.get_parameter("head.bias").fill_(3)
    assert torch.equal(module(image), before)
    assert torch.equal(copied(image), torch.full_like(before, 3))
    assert module.double()(image.double()).dtype == torch.float64


def test_a_forward_says_what_it_takes():
    from inspect import signature

    module = make_module(trace(Net().eval(), IMAGE))
    assert list(signature(type(module).forward).parameters) == ["self", "x"]
    with pytest.raises(resflops.ResflopsError, match="takes x, and was given no input"):
        resflops.count(module)


def test_bench_runs_the_compiled_code():
    script = torch.jit.script(Net())
    assert find_compiled(make_module(script)) is script
    plain = nn.Linear(2, 2)
    assert find_compiled(plain) is plain
