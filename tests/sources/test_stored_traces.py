"""Which counts answer from a stored trace, in whole processes: without torch, and with the same figures."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


FACTORIES = """
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

MODELS = (
    "resnet20,num_classes=7",
    "resnet20,shortcut=B",
    # A factory of resflops' own follows from its version, as a network does.
    "resflops.models.kernels:stack,kernel=3,channels=[3,8],strides=[2]",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The folder that commands run in: what can be imported from it is in the key of a trace."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "nets.py").write_text(FACTORIES, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def counted(project, tmp_path_factory):
    """The rows of models that were counted for the first time, and the cache in which they are since then."""
    # Not in the folder of a test: a folder that can be imported, and was not there before, makes a new key.
    folder = tmp_path_factory.mktemp("cache")
    rows, imported = count_rows(*MODELS, cwd=project, RESFLOPS_CACHE=str(folder))
    assert imported
    assert not any("stored" in row for row in rows)
    return rows, folder


@pytest.fixture
def cache(tmp_path_factory, monkeypatch):
    """An empty cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RESFLOPS_CACHE", str(folder))
    return folder / "traces"


@pytest.fixture
def filled_cache(cache, counted):
    """A cache of the test's own, in which the models are."""
    shutil.copytree(counted[1] / "traces", cache)
    return cache


def run(*arguments: str, cwd: Path = REPOSITORY, **environment: str) -> tuple[str, bool]:
    """Give what a command prints, and whether it has imported torch."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "resflops", *arguments],
        capture_output=True, text=True, encoding="utf-8", check=False, cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(REPOSITORY), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    return done.stdout, bool(re.search(r"\| +torch$", done.stderr, re.MULTILINE))


def count_rows(
    *specs: str, options: tuple[str, ...] = (), cwd: Path, **environment: str
) -> tuple[list[dict], bool]:
    out, imported = run("table", "--models", *specs, "--format", "json", *options, cwd=cwd, **environment)
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


def test_the_reports_match_their_data_and_are_checked_without_torch_the_second_time(cache):
    """If they do not match, resflops report rebuilds them."""
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


def test_options_and_other_inputs_are_stored_and_answer_the_second_time(filled_cache, counted, project):
    other_input = ("--input", "2x3x64x64")
    (large,), imported = count_rows("resnet20", options=other_input, cwd=project)
    assert imported
    (large_again,), imported = count_rows("resnet20", options=other_input, cwd=project)
    assert not imported
    again, imported = count_rows(*MODELS, cwd=project)
    assert not imported
    stored = [large_again, *again]
    for row in stored:
        assert re.fullmatch(
            r"from the trace stored on \d{4}-\d\d-\d\d by torch [\d.]+\w*; --fresh counts it again",
            row.pop("stored"),
        )
    assert stored == [large, *counted[0]]
    assert len(list_entries(filled_cache)) == len(MODELS) + 1


def test_another_environment_counts_for_itself(filled_cache, project):
    (row,), imported = count_rows(MODELS[0], cwd=project, TIMM_FUSED_ATTN="0")
    assert imported
    assert "stored" not in row
    # Beside those that were there.
    assert len(list_entries(filled_cache)) == len(MODELS) + 1


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
def test_the_key_of_a_process_has_its_environment(environment):
    def make_key(**changed: str) -> str:
        script = "from resflops.sources.cache_key import make_key; print(make_key('trace', 'resnet20'))"
        return subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **changed},
        ).stdout  # fmt: skip

    assert make_key(**environment) == make_key(**environment) != make_key()


def test_fresh_leaves_a_stored_trace_aside_and_writes_it_again(filled_cache, project):
    before = list_entries(filled_cache)
    for file in before:
        os.utime(file, (1, 1))
    # What ships is left aside, too.
    rows, imported = count_rows(*MODELS, "resnet20", options=("--fresh",), cwd=project)
    assert imported
    assert not any("stored" in row for row in rows)
    assert set(before) <= set(list_entries(filled_cache))
    assert all(file.stat().st_mtime > 1 for file in before)


def test_damaged_entries_are_counted_and_mended(filled_cache, counted, project):
    ways = (lambda content: content[:-9], lambda _: b"", lambda content: content[:-1] + b"\0")
    for file, damage in zip(list_entries(filled_cache), ways, strict=True):
        file.write_bytes(damage(file.read_bytes()))
    assert count_rows(*MODELS, cwd=project) == (counted[0], True)
    assert not count_rows(*MODELS, cwd=project)[1]


@pytest.mark.parametrize("value", ["", "0"])
def test_nothing_is_stored_without_a_cache(project, tmp_path, value):
    before = list_entries(project)
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    assert count_rows(MODELS[0], cwd=project, RESFLOPS_CACHE=value, **home)[1]
    assert list(tmp_path.iterdir()) == []
    assert list_entries(project) == before


@pytest.mark.parametrize("specs", [("nets.py:small", "nets.py:real"), ("nets:small",)], ids=" ".join)
def test_what_depends_on_code_of_the_user_is_never_stored(filled_cache, project, specs):
    before = {file: file.read_bytes() for file in list_entries(filled_cache)}
    for file in before:
        os.utime(file, (1, 1))
    # Beside it, a named model might have been changed by that code; it is neither stored nor read.
    rows, imported = count_rows(*specs, MODELS[0], "resnet20,num_classes=8", cwd=project)
    assert imported
    assert not any("stored" in row for row in rows)
    assert {file: file.read_bytes() for file in list_entries(filled_cache)} == before
    assert all(file.stat().st_mtime == 1 for file in before)
    (row,), imported = count_rows(MODELS[0], cwd=project)
    assert (imported, "stored" in row) == (False, True)


def test_weights_with_zeros_are_counted_now(filled_cache, project):
    before = list_entries(filled_cache)
    (stored, shipped), imported = count_rows(MODELS[0], "resnet20", options=("--nonzero",), cwd=project)
    assert (imported, shipped["nonzero_macs"]) == (True, 40_551_040)
    assert "stored" not in stored
    assert "stored" not in shipped
    assert list_entries(filled_cache) == before


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
