"""TorchScript is counted layer by layer, on shapes, as the module that it was made of is."""

import pytest
import torch
from torch import nn

import resflops
from resflops.errors import TraceError
from resflops.sources.scripts import make_module
from tests.tracing.torchscript import networks
from tests.tracing.torchscript.networks import Net, save, trace

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]

IMAGE = (2, 3, 9, 9)
WAYS = {
    "scripted": torch.jit.script,
    "traced": lambda model: trace(model, IMAGE),
    "scripted, from a file": lambda model: save(torch.jit.script(model)),
    "traced, from a file": lambda model: save(trace(model, IMAGE)),
    "inside eager code": lambda model: nn.Sequential(torch.jit.script(model)),
}


def summarise(cost):
    """What two counts of one network agree in."""
    # The outer module of the last way puts a name before all others.
    inside = all(row.name.startswith("0") for row in cost.layers)
    layers = {}
    for row in cost.layers:
        name = row.name.removeprefix("0").removeprefix(".") if inside else row.name
        macs, params = layers.get(name, (0, 0))
        layers[name] = macs + row.macs, params + row.params
    costly = {name: both for name, both in layers.items() if any(both)}
    return cost.macs, cost.params, cost.under("flops").total, cost.uncounted, costly


@pytest.mark.parametrize("way", WAYS)
def test_layers_parameters_and_flops_are_those_of_the_module(way):
    model = Net().eval()
    own, scripted = resflops.count(model, IMAGE), resflops.count(WAYS[way](model), IMAGE)
    assert summarise(scripted) == summarise(own)
    assert (scripted.trace.execution, scripted.trace.notes) == ("meta", ())


@pytest.mark.parametrize("way", ["scripted, from a file", "traced, from a file"])
def test_the_backward_pass_costs_what_that_of_the_module_does(way):
    model = Net().eval()
    own, scripted = (
        resflops.count(each, IMAGE, backward=True).backward for each in (model, WAYS[way](model))
    )
    assert (scripted.input_total, scripted.weight_total) == (own.input_total, own.weight_total)


def test_memory_is_that_of_the_module():
    model = Net().eval()
    script = save(torch.jit.script(model))
    for training in (False, True):
        own, scripted = (resflops.memory(each, IMAGE, training=training) for each in (model, script))
        assert scripted.peak == own.peak


@pytest.mark.parametrize("way", ["scripted", "scripted, from a file", "inside eager code"])
def test_one_layer_under_two_names_is_two_layers_with_one_weight(way):
    cost = resflops.count(WAYS[way](networks.Twice()), (5, 4))
    assert (cost.macs, cost.params) == (2 * 80, 20)
    # Torch makes two modules of it.
    assert [row.name[-6:].lstrip(".0") for row in cost.layers] == ["first", "second"]


CASES = {
    "numbers": (networks.Numbers, (torch.rand(5, 3),)),
    "containers": (networks.Containers, (torch.rand(4, 3),)),
    "objects": (networks.Objects, (torch.rand(2, 4),)),
    "objects, with an option": (networks.Objects, (torch.rand(2, 4), 0.5)),
    "forks": (networks.Forks, (torch.rand(2, 4),)),
    "a path by values": (networks.Deciding, (torch.rand(2, 4),)),
    "one layer twice": (networks.Twice, (torch.rand(2, 4),)),
    "a network": (Net, (torch.rand(IMAGE),)),
}


def flatten(value):
    if isinstance(value, (list, tuple)):
        return [leaf for each in value for leaf in flatten(each)]
    return [value]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("saved", [False, True], ids=["in memory", "from a file"])
def test_python_computes_what_the_compiled_code_does(name, saved):
    build, inputs = CASES[name]
    script = torch.jit.script(build().eval())
    script = save(script) if saved else script
    # Before the code, which may write attributes, has run.
    found = flatten(make_module(script)(*inputs))
    expected = flatten(script(*inputs))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs


def test_attributes_that_the_code_writes_stay_as_they_were():
    script = torch.jit.script(networks.Objects())
    assert resflops.count(script, (2, 4)).macs == 2 * 16
    assert resflops.count(nn.Sequential(script), (2, 4)).macs == 2 * 16
    assert script.calls == 0


def test_an_assertion_of_the_code_ends_the_count_with_its_own_words():
    with pytest.raises(TraceError, match="takes a batch"):
        resflops.count(torch.jit.script(networks.Objects()), (2, 4, 4))


def test_a_path_that_depends_on_values_is_run_for_real():
    cost = resflops.count(torch.jit.script(networks.Deciding()), torch.ones(2, 4))
    assert (cost.macs, cost.trace.execution) == (2 * 2 * 16, "real")
    assert [row.name for row in cost.layers if row.macs] == ["layer"]


@pytest.mark.parametrize("wrap", [lambda script: script, nn.Sequential], ids=["alone", "inside eager code"])
def test_a_file_is_not_written(wrap, tmp_path):
    script = torch.jit.script(networks.Saves(str(tmp_path / "written")))
    with pytest.raises(TraceError, match="its TorchScript reads or writes files"):
        resflops.count(wrap(script), (2, 4))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrap", [lambda script: script, nn.Sequential], ids=["alone", "inside eager code"])
def test_code_that_python_cannot_go_through_runs_as_it_was_compiled(wrap):
    cost = resflops.count(wrap(torch.jit.script(networks.Enumerates())), (2, 4))
    assert (cost.macs, cost.trace.execution) == (2 * 16, "meta")
    assert "the TorchScript of Enumerates was run as compiled, as one layer" in cost.trace.notes[0]


def test_compiled_code_that_fills_tensors_runs_with_memory():
    cost = resflops.count(torch.jit.script(networks.Fills()), (2, 4))
    assert (cost.macs, cost.trace.execution) == (2 * 16, "real")


def test_frozen_weights_are_parameters(tmp_path):
    model = Net().eval()
    frozen = torch.jit.freeze(torch.jit.script(model))
    cost = resflops.count(frozen, IMAGE)
    assert cost.macs == resflops.count(model, IMAGE).macs
    # BatchNorm is folded into convolutions, which get a bias by it, and a tied weight is one constant.
    assert cost.params == 4 * 27 + 4 + 2 * (144 + 4) + 16 + 4 + 8 + 2
    assert "its TorchScript is frozen" in cost.trace.notes[0]
    with torch.no_grad():
        image = torch.rand(IMAGE)
        assert torch.equal(make_module(frozen)(image), frozen(image))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("wrap", [lambda script: script, nn.Sequential], ids=["alone", "inside eager code"])
def test_packed_weights_count_as_what_they_stand_for(wrap):
    quantised = torch.ao.quantization.quantize_dynamic(networks.Recurrent(), {nn.LSTM, nn.Linear})
    own = resflops.count(quantised, (5, 2, 4))
    scripted = resflops.count(wrap(torch.jit.script(quantised)), (5, 2, 4))
    gates = 4 * 6 * (4 + 6) * 2 + 4 * 6 * (12 + 6) * 2
    assert (scripted.macs, scripted.params) == (own.macs, own.params)
    assert own.params == gates + 4 * (2 * 24) + 12 * 3 + 3


def test_hooks_of_layers_run():
    module = make_module(torch.jit.script(Net()))
    called = []
    for name, layer in module.named_modules():
        layer.register_forward_hook(lambda layer, args, out, name=name: called.append(name))
    module(torch.rand(IMAGE))
    assert called[:4] == ["stem", "blocks.0.conv", "blocks.0.norm", "blocks.0.act"]
    assert called[-1] == ""


@pytest.mark.parametrize("peer", ["fvcore", "FlopCounterMode", "thop", "ptflops", "calflops", "torchprofile"])
def test_other_counters_see_functions_and_layers_of_torchs_own(peer):
    if peer not in ("fvcore", "FlopCounterMode", "thop"):
        pytest.importorskip(peer)  # They are extras.
    model = Net().eval()
    own, scripted = (
        resflops.crosscheck(each, IMAGE, peers=[peer]) for each in (model, save(torch.jit.script(model)))
    )
    assert [row.unexplained for row in scripted.rows] == [0] * len(own.rows)
    if peer not in ("ptflops", "calflops"):
        # These two see torch.add, but not the plus sign, which a script has no longer.
        assert [row.figure for row in scripted.rows] == [row.figure for row in own.rows]
