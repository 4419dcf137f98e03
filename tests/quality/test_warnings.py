"""Whose warnings fail a test: resflops' own, and not those of a package that a user's model calls."""

import importlib

import pytest
import torch
from torch import nn

import resflops

PACKAGE = '''
import warnings

import torch
from torch.overrides import handle_torch_function, has_torch_function_unary


def warns_of_itself(x):
    warnings.warn("use another one", DeprecationWarning, stacklevel=1)
    return x + 1


def warns_its_caller(x):
    warnings.warn("use another one", FutureWarning, stacklevel=2)
    return x + 1


def as_torch_does(x):
    """Seen by whoever listens to torch functions, which is then its caller."""
    if has_torch_function_unary(x):
        return handle_torch_function(as_torch_does, (x,), x)
    warnings.warn("use another one", DeprecationWarning, stacklevel=2)
    return x + 1
'''


class Calling(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "package_of_others.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("package_of_others")


@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
@pytest.mark.parametrize("name", ["warns_of_itself", "warns_its_caller", "as_torch_does"])
def test_what_a_package_says_of_itself_is_shown_and_fails_nothing(package, recwarn, name, real):
    model = Calling(getattr(package, name))
    trace = resflops.trace(model, torch.zeros(2, 3), real=real)
    assert resflops.count(trace, convention="flops").total == 6
    assert "use another one" in [str(each.message) for each in recwarn]


@pytest.mark.parametrize("module", ["resflops", "resflops.api", "resflops.tracing.recorder"])
@pytest.mark.parametrize("category", [DeprecationWarning, FutureWarning, UserWarning])
def test_a_warning_in_the_name_of_resflops_fails(module, category):
    names = dict(vars(importlib.import_module(module)), category=category)
    exec("def outdated():\n    import warnings\n    warnings.warn('use another one', category)", names)
    with pytest.raises(category, match="use another one"):
        names["outdated"]()


def test_what_resflops_calls_against_advice_fails(package):
    # A function that warns its caller, called by a line of resflops' own.
    names = dict(vars(resflops.api), others=package)
    exec("def outdated(x):\n    return others.warns_its_caller(x)", names)
    with pytest.raises(FutureWarning, match="use another one"):
        names["outdated"](1)
