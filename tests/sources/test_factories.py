"""Models of the user's own."""

import sys
from textwrap import dedent

import pytest
import torch

import resflops
from resflops.errors import InputError, ModelError, SpecError, UnknownModelError
from resflops.sources import find, open_model

NETS = """
    import torch
    from torch import nn

    answer = 42
    ready = nn.Linear(2, 2)

    def linear(width=8, *, bias=True, scale=1.0, name="x"):
        assert isinstance(scale, float) and isinstance(name, str)
        return nn.Linear(width, 4, bias=bias)

    class Net(nn.Linear):
        def __init__(self, width: int):
            super().__init__(width, width)

        @classmethod
        def small(cls):
            return cls(2)

    def beside():
        assert __file__.endswith("nets.py")
        return nn.Linear(5, 6)

    def with_shape(): return nn.Linear(8, 4), (2, 8)
    def with_tensor(): return nn.Linear(8, 4), torch.randn(3, 8)
    def with_tuple(): return nn.Bilinear(8, 4, 2), ((5, 8), torch.zeros(5, 4))
    def with_dict(): return nn.Linear(8, 4), {"input": (6, 8)}
    def late():
        import sibling_of_nets
        return sibling_of_nets.make()

    def raises(): raise RuntimeError("no such dataset")
    def exits(): raise SystemExit(3)
    def at_length(): raise ValueError("no such dataset,\\nhere or there")
    def nothing(): return None
    def triple(): return nn.Linear(8, 4), 1, 2
    def numbered(): return nn.Linear(8, 4), {1: (2, 8)}
"""


@pytest.fixture
def nets(tmp_path, monkeypatch):
    """A folder with modules in it, the current one; what is imported from it is forgotten."""
    (tmp_path / "nets.py").write_text(dedent(NETS))
    (tmp_path / "sibling_of_nets.py").write_text("from torch import nn\ndef make(): return nn.Linear(3, 3)\n")
    (tmp_path / "broken.py").write_text("import package_that_is_not_there\n")
    (tmp_path / "quits.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "unreadable.py").write_text("def (:\n")
    monkeypatch.chdir(tmp_path)
    before, path = set(sys.modules), list(sys.path)
    yield tmp_path
    assert sys.path == path
    for name in set(sys.modules) - before:
        # Not what they import: a module of resflops that was loaded again would register its ops again.
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("spec", "weight"),
    [
        ("nets:linear", (4, 8)),
        ("nets:linear,width=16,bias=false,scale=0.5,name=deep", (4, 16)),
        ("nets:Net,width=3", (3, 3)),
        ("nets:Net.small", (2, 2)),
        ("nets:late", (3, 3)),
        ("nets.py:linear", (4, 8)),
        ("nets:beside", (6, 5)),
        ("nets.py:beside", (6, 5)),
        ("./nets.py:linear,width=2", (4, 2)),
        ("torch.nn:Linear,in_features=5,out_features=6", (6, 5)),
    ],
)
def test_a_factory_makes_the_model_with_its_options_as_arguments(nets, spec, weight):
    model = resflops.load(spec)
    assert tuple(model.weight.shape) == weight
    assert model.weight.device == torch.device("meta")


def test_a_file_is_found_from_anywhere_with_what_lies_beside_it(nets, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert resflops.load(f"{nets}/nets.py:late").weight.shape == (3, 3)


def test_two_files_of_one_name_are_two_modules(nets):
    (nets / "other").mkdir()
    (nets / "other" / "nets.py").write_text("from torch import nn\ndef linear(): return nn.Linear(1, 1)\n")
    assert resflops.load("nets.py:linear").weight.shape == (4, 8)
    assert resflops.load("other/nets.py:linear").weight.shape == (1, 1)


@pytest.mark.parametrize(
    ("factory", "args", "kwargs"),
    [
        ("with_shape", [(2, 8)], {}),
        ("with_tensor", [(3, 8)], {}),
        ("with_tuple", [(5, 8), (5, 4)], {}),
        ("with_dict", [], {"input": (6, 8)}),
    ],
)
def test_a_factory_may_give_inputs_too(nets, factory, args, kwargs):
    opened = open_model(f"nets:{factory}")
    assert [tuple(tensor.shape) for tensor in opened.args] == args
    assert {name: tuple(tensor.shape) for name, tensor in opened.kwargs.items()} == kwargs
    assert resflops.count(opened.module, *opened.args, **opened.kwargs).macs > 0


def test_a_shape_that_is_given_goes_before_the_factorys(nets):
    (given,) = open_model("nets:with_shape", input_shape=(7, 8)).args
    assert tuple(given.shape) == (7, 8)


def test_a_module_without_inputs_needs_a_shape(nets):
    with pytest.raises(InputError, match=r"nets:linear.*give the shape"):
        open_model("nets:linear")
    assert open_model("nets:linear", input_shape=(1, 8)).args[0].shape == (1, 8)


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        (":linear", SpecError, "package.module:factory"),
        ("nets:3", SpecError, "package.module:factory"),
        ("nets:linear,depth=3", SpecError, "unexpected keyword argument 'depth'"),
        ("nets:Net", SpecError, "missing a required argument: 'width'"),
        ("nets:liner", UnknownModelError, "closest: linear"),
        ("nets:Net.large", UnknownModelError, "no 'Net.large'"),
        ("nots:linear", UnknownModelError, "no module 'nots'"),
        ("nots.py:linear", UnknownModelError, "no file 'nots.py'"),
        ("../nowhere/nots.py:linear", UnknownModelError, "no file"),
        ("nets:answer", ModelError, "answer is of the type int"),
        ("nets:ready,width=3", SpecError, "ready is a model already, and has no options"),
        ("broken:make", ModelError, "package_that_is_not_there"),
        ("quits:make", ModelError, "SystemExit: 3"),
        ("unreadable:make", ModelError, "SyntaxError"),
        ("unreadable.py:make", ModelError, "SyntaxError"),
    ],
)
def test_what_is_no_factory_is_an_error_that_says_why(nets, spec, error, says):
    with pytest.raises(error) as raised:
        find(spec)
    assert says in str(raised.value)
    assert spec in str(raised.value)


@pytest.mark.parametrize("spec", ["nets:", "nets.py", "nets.py:"])
def test_of_a_file_the_model_that_is_ready_is_taken_and_named(nets, spec):
    assert find(spec).notes == (f"this is {spec.rstrip(':')}:ready",)


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        ("raises", "RuntimeError: no such dataset"),
        ("exits", "SystemExit: 3"),
        ("at_length", "ValueError: no such dataset, here or there"),
        ("nothing", "gives a value of the type NoneType"),
        ("triple", "tuple of 3"),
        ("numbered", "must have the names of the model's parameters"),
    ],
)
def test_a_factory_that_gives_no_model_is_an_error_that_says_why(nets, factory, says):
    with pytest.raises(ModelError) as raised:
        open_model(f"nets:{factory}")
    assert says in str(raised.value)
