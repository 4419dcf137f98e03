"""Which counts answer from a stored trace, in whole processes: without torch, and with the same figures."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path_factory, monkeypatch):
    # Not in the folder of the test: a folder that can be imported, and was not there before, makes a new key.
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RESFLOPS_CACHE", str(folder))
    return folder / "traces"


def run(*arguments: str, cwd: Path = REPOSITORY, **environment: str) -> tuple[str, bool]:
    """Give what a command prints, and whether it has imported torch."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "resflops", *arguments],
        capture_output=True, text=True, encoding="utf-8", check=False, cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(REPOSITORY), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, bool(re.search(r"\| +torch$", done.stderr, re.MULTILINE))


def count_rows(*specs: str, options: tuple[str, ...] = (), **settings) -> tuple[list[dict], bool]:
    out, imported = run("table", "--models", *specs, "--format", "json", *options, **settings)
    return json.loads(out)["rows"], imported


def list_entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "arguments",
    [
        ["table", "--models", "resnet34", "vgg19"],
        ["table", "--models", "resnet*", "--convention", "flops", "--training"],
        ["layers", "resnet34"],
        ["diff", "resnet34", "resnet50"],
        ["check", "resnet34", "vgg19"],
        ["lock", "--check", "resnet34", "vgg19"],
    ],
    ids=" ".join,
)
def test_commands_about_built_in_networks_import_no_torch(cache, arguments):
    _, imported = run(*arguments)
    assert not imported
    # What ships needs no cache.
    assert not cache.exists()


def test_a_page_about_built_in_networks_imports_no_torch_and_says_so(cache, tmp_path):
    _, imported = run("report", "--html", str(tmp_path / "page.html"), "resnet20")
    assert not imported
    assert "from the trace that ships with resflops" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_reports_are_checked_without_torch_the_second_time(cache):
    # The first time, networks with options and on other inputs are traced.
    assert run("report", "--check") == ("", True)
    assert run("report", "--check") == ("", False)


def test_a_built_in_network_is_counted_from_python_without_torch():
    script = (
        "import resflops, sys\n"
        "cost = resflops.count('resnet34')\n"
        "again = resflops.count('resnet34', (1, 3, 224, 224), convention='flops', backward=True)\n"
        "print(cost.macs, cost.params, again.macs, again.backward.input_macs, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3663761408", "21797672", "3663761408", "3545747456", "False"]


def test_options_and_other_inputs_are_stored_and_answer_the_second_time(cache):
    # A factory of resflops' own follows from its version, as a network does.
    factory = "resflops.models.kernels:stack,kernel=3,channels=[3,8],strides=[2]"
    cases = [("resnet20,num_classes=7",), ("resnet20", "--input", "2x3x64x64"), (factory,)]
    for spec, *options in cases:
        (live,), imported = count_rows(spec, options=tuple(options))
        assert imported
        (stored,), imported = count_rows(spec, options=tuple(options))
        assert not imported
        assert re.fullmatch(
            r"from the trace stored on \d{4}-\d\d-\d\d by torch [\d.]+\w*; --fresh counts it again",
            stored.pop("stored"),
        )
        assert stored == live
    assert len(list_entries(cache)) == len(cases)


@pytest.mark.parametrize(
    "environment",
    [
        {"TIMM_FUSED_ATTN": "0"},
        {"PYTORCH_JIT": "0"},
        {"PYTHONOPTIMIZE": "1"},
        {"PYTHONPATH": f"{REPOSITORY}:/tmp"},
    ],
    ids=lambda each: next(iter(each)),
)
def test_another_environment_counts_for_itself(cache, environment):
    spec = "resnet20,num_classes=7"
    count_rows(spec)
    (row,), imported = count_rows(spec, **environment)
    assert imported
    assert "stored" not in row
    assert len(list_entries(cache)) == 2


def test_fresh_leaves_a_stored_trace_aside_and_writes_it_again(cache):
    spec = "resnet20,num_classes=7"
    count_rows(spec)
    (file,) = list_entries(cache)
    os.utime(file, (1, 1))
    (row,), imported = count_rows(spec, options=("--fresh",))
    assert imported
    assert "stored" not in row
    assert list_entries(cache) == [file]
    assert file.stat().st_mtime > 1
    (row,), imported = count_rows("resnet20", options=("--fresh",))
    assert (imported, "stored" in row) == (True, False)


def test_a_damaged_entry_is_counted_and_mended(cache):
    spec = "resnet20,num_classes=7"
    (live,), _ = count_rows(spec)
    (file,) = list_entries(cache)
    content = file.read_bytes()
    for damaged in (content[:-9], b"", content[:-1] + b"\0"):
        file.write_bytes(damaged)
        assert count_rows(spec) == ([live], True)
        file.chmod(0o600)
        assert not count_rows(spec)[1]


@pytest.mark.parametrize("value", ["", "0"])
def test_nothing_is_stored_without_a_cache(tmp_path, value):
    for _ in range(2):
        assert count_rows("resnet20,num_classes=7", cwd=tmp_path, RESFLOPS_CACHE=value, HOME=str(tmp_path))[1]
    assert list(tmp_path.rglob("traces")) == []


FACTORY = """
import torch
from torch import nn

def small():
    return nn.Sequential(nn.Conv2d(3, 4, 3)), (1, 3, 8, 8)

def real():
    class Routed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            return self.layer(x) if self.layer(x).sum() > -1e9 else x
    return Routed(), (1, 4)
"""


def test_what_depends_on_code_of_the_user_is_never_stored(cache, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "nets.py").write_text(FACTORY, encoding="utf-8")
    for spec in ("nets.py:small", "nets:small", "nets.py:real"):
        assert count_rows(spec, cwd=project)[1]
    assert list_entries(cache) == []
    # Beside it, a named model might have been changed by that code; it is neither stored nor read.
    named = "resnet20,num_classes=7"
    assert "stored" not in count_rows("nets.py:small", named, cwd=project)[0][1]
    assert list_entries(cache) == []
    count_rows(named, cwd=project)
    assert len(list_entries(cache)) == 1
    assert "stored" not in count_rows("nets.py:small", named, cwd=project)[0][1]
    assert "stored" in count_rows(named, cwd=project)[0][0]


def test_weights_with_zeros_are_counted_now(cache):
    for _ in range(2):
        (row,), imported = count_rows("resnet20", "--nonzero")
        assert (imported, row["nonzero_macs"]) == (True, 40_551_040)
    assert list_entries(cache) == []


def test_the_gate_stores_models_in_another_type(cache, tmp_path):
    (tmp_path / "resflops.toml").write_text(
        '[models.half]\nspec = "resnet20"\ndtype = "float16"\n', encoding="utf-8"
    )
    assert run("lock", cwd=tmp_path)[1]
    lock = (tmp_path / "resflops.lock").read_bytes()
    assert b"float16" in lock
    out, imported = run("check", "--format", "json", cwd=tmp_path)
    assert not imported
    assert "from the trace stored on" in out
    assert not run("lock", cwd=tmp_path)[1]
    assert (tmp_path / "resflops.lock").read_bytes() == lock
    assert run("check", "--fresh", cwd=tmp_path)[1]


# torchvision is imported twice at most, since that takes seconds.
def test_models_of_a_package_and_its_names_are_stored(cache, tmp_path):
    live, imported = count_rows("torchvision/squeezenet1_?", cwd=tmp_path)
    assert imported
    stored, imported = count_rows("torchvision/squeezenet1_?", "torchvision/squeezenet1_1", cwd=tmp_path)
    assert not imported
    assert [row.pop("stored").partition(" on ")[0] for row in stored] == ["from the trace stored"] * 2
    assert stored == live
    # Two traces, and the list of names.
    assert len(list_entries(cache)) == 3


def test_an_installed_package_is_told_from_code_of_the_user(tmp_path):
    """A package that is linked to its source lies outside the folders in which distributions are."""
    (tmp_path / "linked.py").write_text("", encoding="utf-8")
    script = (
        "import sys, types\n"
        "from resflops.sources.installed_code import runs_installed_code_alone\n"
        # As the command, of which python -c has no file.
        "sys.modules['__main__'].__file__ = '/usr/local/bin/resflops'\n"
        "import numpy, msgspec, json\n"
        "print(runs_installed_code_alone())\n"
        f"sys.path.append({str(tmp_path)!r})\n"
        "import linked\n"
        "print(runs_installed_code_alone())\n"
        "del sys.modules['linked']\n"
        "print(runs_installed_code_alone())\n"
        "del sys.modules['__main__'].__file__\n"
        "print(runs_installed_code_alone())\n"
        "sys.modules['__main__'].__file__ = '/home/user/train.py'\n"
        "print(runs_installed_code_alone())\n"
        # A program of another package runs code of the user's, as pytest does.
        "sys.modules['__main__'].__file__ = msgspec.__file__\n"
        "print(runs_installed_code_alone())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.stdout.split() == ["True", "False", "True", "False", "False", "False"]
