"""What another distribution adds by entry points: installed for real, beside a broken one."""

import json
import os
import subprocess
import sys

import pytest

from resflops.errors import UsageError
from resflops.extensions import load_extensions

OPS = """
from math import prod

from resflops.ops import Call, binding, each_gradient, op
from resflops.records import Work


def infer_triple(input):
    return Call("small.triple", (input,), tuple(input.shape))


def triple(record):
    \"\"\"Per element: one multiplication.\"\"\"
    return Work(arithmetic=prod(record.output_shape))


op("small.triple", family="small", bindings=binding(infer_triple, "no_such_function_of_torch"), work=triple,
   gradient=each_gradient(lambda record, operand: triple(record), summary="As the op."))
op("small.bessel", family="small", aten=("special_bessel_j0",), work=triple)
"""

NET = """
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        return torch.special.bessel_j0(x)


def net():
    return Net(), (2, 3)
"""

COUNTER = """
from resflops.cost.convention import Convention, View
from resflops.counters import Peer, register_peer

register_peer(Peer(
    name="small", distribution="small-extension", versions=("1.0",), repository="me/small",
    ask="small_extension.counter:ask",
    conventions=(Convention(name="small", counts="outputs of linear layers", source="small",
        views=(View(sees="linear layers", charges={"linear": {"output_elements": 1}}),)),),
))


def ask(model, args, kwargs):
    from resflops.crosschecking.adapters import Answer
    return Answer(figures={"small": model(*args, **kwargs).numel()})
"""

SOURCE = """
from resflops.sources import FoundModel, Source, register


def find(name, spec):
    from torch import nn
    return FoundModel(spec=spec.text, make=lambda: nn.Linear(4, int(name)), input_shape=(1, 4))


register(Source(prefix="small", summary="small/7, a linear layer of 7", find=find, names=lambda: ["7"]))
"""

FORMAT = """
from resflops.render import renderer


@renderer("count-rows", ".rows")
def count_rows(table, screen):
    return f"{len(table.rows)} rows\\n"
"""


def write_package(folder, name, version, modules, groups):
    """A distribution as pip leaves it: its package, and its metadata with the entry points."""
    package = folder / name.replace("-", "_")
    package.mkdir()
    (package / "__init__.py").write_text("")
    for module, text in modules.items():
        (package / f"{module}.py").write_text(text)
    info = folder / f"{package.name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = [f"[resflops.{group}]\n{name} = {package.name}.{module}\n" for group, module in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(points))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    write_package(
        folder, "small-extension", "1.0",
        {"ops": OPS, "counter": COUNTER, "source": SOURCE, "format": FORMAT},
        {"ops": "ops", "counters": "counter", "sources": "source", "formats": "format"},
    )  # fmt: skip
    half = (
        'from resflops.ops import op\nop("half.done", family="half", free="it is")\nimport no_such_module\n'
    )
    write_package(folder, "broken-extension", "2.0", {"ops": half}, {"ops": "ops"})
    write_package(
        folder, "twice-extension", "3.0",
        {"ops": 'from resflops.ops import op\nop("conv2d", family="mine", free="no")\n'}, {"ops": "ops"},
    )  # fmt: skip
    return folder


def resflops(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "resflops", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )


def test_ops_say_where_they_come_from_and_a_broken_extension_is_told_by_its_name(folder):
    done = resflops(folder, "ops", "--format", "json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    origins = {op: row["origin"] for row in document["rows"] for op in row["ops"]}
    assert (origins["small.triple"], origins["conv2d"]) == ("small-extension", "resflops")
    assert "half.done" not in done.stdout
    text = resflops(folder, "ops").stdout
    assert (
        "The extension broken-extension of the distribution broken-extension could not be loaded: "
        "ModuleNotFoundError: No module named 'no_such_module'." in " ".join(text.split())
    )
    assert "twice-extension could not be loaded: DuplicateError" in " ".join(text.split())


def test_a_counter_of_another_distribution_is_listed_priced_and_run(folder):
    rows = json.loads(resflops(folder, "peers", "--format", "json").stdout)["rows"]
    assert {row["peer"]: row["origin"] for row in rows}["small"] == "small-extension"
    done = resflops(folder, "table", "--models", "resnet20", "--convention", "small", "--format", "json")
    assert json.loads(done.stdout)["rows"][0]["total"] == 10
    checked = resflops(folder, "crosscheck", "--models", "small/7", "--peers", "small", "--format", "json")
    (row,) = json.loads(checked.stdout)["rows"]
    assert (row["figure"], row["unexplained"]) == (7, 0)


def test_an_aten_op_and_a_source_of_another_distribution_are_counted(folder, tmp_path):
    (tmp_path / "net.py").write_text(NET)
    done = resflops(
        folder, "table", "--models", f"{tmp_path}/net.py:net", "small/7", "small/9", "--convention", "flops",
        "--format", "json", "--strict",
    )  # fmt: skip
    assert done.returncode == 0
    net, *linear = json.loads(done.stdout)["rows"]
    assert net["total"] == 2 * 3
    assert [row["macs"] for row in linear] == [4 * 7, 4 * 9]
    assert "small/7, a linear layer of 7, from small-extension" in resflops(folder, "models").stdout


def test_a_format_of_another_distribution_works(folder):
    done = resflops(folder, "table", "--models", "resnet20", "vgg19", "--format", "count-rows")
    assert (done.returncode, done.stdout) == (0, "2 rows\n")


def test_a_group_that_does_not_exist_is_refused():
    with pytest.raises(
        UsageError, match=r"no group of extensions named 'resflops.colours'; available: resflops.ops"
    ):
        load_extensions("resflops.colours")
