"""The public surface is what ``__all__`` says, and importing it costs nothing."""

import importlib
import pkgutil
import subprocess
import sys
from inspect import signature

import pytest

import resflops
from resflops.counters import TIME_LIMIT


def test_every_public_name_is_there():
    for name in resflops.__all__:
        assert getattr(resflops, name) is not None
    assert set(resflops._HOMES) | {"__version__"} == set(resflops.__all__)
    assert sorted(dir(resflops)) == sorted(resflops.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'countt'"):
        _ = resflops.countt


def modules():
    return [module.name for module in pkgutil.walk_packages(resflops.__path__, "resflops.")]


@pytest.mark.parametrize("name", [name for name in modules() if name != "resflops.__main__"])
def test_every_module_has_what_its_all_lists(name):
    module = importlib.import_module(name)
    assert [public for public in getattr(module, "__all__", []) if not hasattr(module, public)] == []


def test_importing_resflops_imports_no_heavy_package():
    script = "import resflops, sys; print(sorted({'torch', 'numpy', 'pandas', 'matplotlib', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_time_limit_that_the_signature_states_is_the_counters():
    assert signature(resflops.crosscheck).parameters["seconds"].default == TIME_LIMIT


def test_a_count_imports_nothing_that_it_does_not_use():
    script = (
        "import resflops, sys, torch\n"
        "resflops.count(torch.nn.Linear(2, 2), (1, 2))\n"
        "print({name.split('.')[1] for name in sys.modules if name.startswith('resflops.')}\n"
        "      & {'cli', 'counters', 'crosschecking', 'gate', 'latency', 'render', 'report', 'sources', 'tables'})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_stored_cost_is_read_and_priced_without_torch(tmp_path):
    resflops.count(resflops.load("resnet20"), (1, 3, 32, 32)).save(tmp_path / "cost.json")
    script = (
        "import resflops, sys\n"
        f"cost = resflops.Cost.load({str(tmp_path / 'cost.json')!r})\n"
        "print(cost.total, cost.under('flops').convention, len(cost.layers) > 0, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["40551040", "flops", "True", "False"]
