"""The layers of an exported program: their names, classes and modes, and how they are called."""

import pytest
import torch
from torch import nn

import resflops
from resflops.sources.programs import make_module
from tests.sources.programs.exporting import OF_2_6, export


class Norm(nn.LayerNorm):
    """One that is derived from torch's."""


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.unused, self.layers = Norm(4), nn.Linear(2, 2), nn.ModuleList([nn.Linear(4, 4)])
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.layers[0](self.act(self.norm(x))))


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Scaled()

    def forward(self, x):
        return self.inner(x) + x


X = torch.ones(2, 4)


def record_layers(program):
    return {module.path: (module.cls, module.base) for module in resflops.trace(program, X).modules}


@pytest.mark.parametrize("strict", [False, True])
def test_layers_have_the_names_and_classes_of_the_models(strict):
    model = Outer()
    program = export(model, (X,), strict=strict)
    found, own = record_layers(program), record_layers(model)
    assert list(found) == list(own)
    # No op ran in these two, so the program has no class of theirs.
    assert found.pop("inner.unused") == found.pop("inner.layers") == ("Module", "")
    assert found.items() <= own.items()
    assert found["inner.norm"] == ("Norm", "LayerNorm")


def test_no_package_is_imported_because_a_file_names_a_class_of_it():
    program = export(Outer(), (X,))
    for node in program.graph.nodes:
        stack = node.meta.get("nn_module_stack", {})
        for key, (path, cls) in stack.items():
            stack[key] = (path, cls.replace(__name__, "this.of.nobody"))
    assert record_layers(program)["inner.norm"] == ("Norm", "")
    assert record_layers(program)[""] == ("Outer", "")


@pytest.mark.skipif(OF_2_6, reason="torch 2.6 exports no compiled model")
def test_names_are_those_of_the_model_and_not_of_what_has_compiled_it():
    compiled = torch.compile(Outer(), backend="eager")
    program = export(compiled, (X,), strict=False)
    assert list(record_layers(program)) == list(record_layers(Outer()))
    assert list(make_module(program).state_dict()) == list(Outer().state_dict())


def test_a_layer_is_called_once_for_each_call_in_the_model():
    model = Outer().eval()
    module = make_module(export(model, (X,)))

    def list_calls(root):
        calls = []
        for name, layer in root.named_modules():
            layer.register_forward_hook(
                lambda _, inputs, output, name=name: calls.append(
                    (name, [tuple(each.shape) for each in inputs], tuple(output.shape))
                )
            )
        root(X)
        return calls

    assert list_calls(module) == list_calls(model)


def test_the_mode_is_that_of_the_ops_that_tell():
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 4), nn.Dropout(0.5))
    model[0].eval()
    modes = [each.training for each in resflops.trace(export(model, (X,)), X).modules]
    assert modes == [True, False, True, True]


def test_a_module_that_is_called_twice_in_a_row_is_called_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            return self.layer(self.layer(x))

    calls = []
    module = make_module(export(Twice(), (X,)))
    module.layer.register_forward_hook(lambda *_: calls.append("layer"))
    module(X)
    assert calls == ["layer", "layer"]
    assert resflops.trace(export(Twice(), (X,)), X).ops == resflops.trace(Twice(), X).ops
