"""The code is formatted, linted, typed and layered as pyproject.toml says."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from packaging.version import Version

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", "--no-cache"], id="ruff check"),
        pytest.param(["ruff", "format", "--check", "--no-cache"], id="ruff format"),
        pytest.param(
            ["mypy"],
            id="mypy --strict",
            marks=pytest.mark.skipif(
                Version(torch.__version__) < Version("2.13"),
                reason="torch's own annotations were others before",
            ),
        ),
        pytest.param(["lint-imports", "--no-cache"], id="import-linter"),
    ],
)
def test_the_code_passes(command):
    done = subprocess.run(
        [SCRIPTS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def load_import_graph():
    spec = importlib.util.spec_from_file_location("import_graph", Path(__file__).with_name("import_graph.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_module_is_part_of_a_circle_and_the_root_is_small():
    script = load_import_graph()
    graph = script.build_graph()
    assert script.find_circle(script.find_imports(graph)) == []
    assert script.find_circle(set(script.find_arrows(graph))) == []
    assert len(graph.find_children("resflops")) <= 24


def test_a_circle_is_found():
    script = load_import_graph()
    assert script.find_circle({("a", "b"), ("b", "c"), ("c", "b"), ("d", "a")}) == ["b", "c", "b"]
    assert script.find_circle({("a", "b"), ("a", "c"), ("b", "c")}) == []


def test_the_top_level_holds_what_it_should():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    top = {Path(name).parts[0] for name in listed.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "resflops",
        "reports",
        "tests",
    }


def test_what_the_matrix_runs_is_there():
    named = re.findall(r'"(tests/[\w/.]+)"', (ROOT / ".ci" / "noxfile.py").read_text(encoding="utf-8"))
    assert len(named) >= 3
    assert [name for name in named if not (ROOT / name).exists()] == []
