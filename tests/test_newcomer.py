"""The first ten minutes of five newcomers, end to end: the real command, an empty folder, exact figures."""

import ast
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import resflops
from resflops.cli import main

NETS = '''
from torch import nn


class Detector(nn.Module):
    """Small enough to count by hand: 3·3·3·8 taps a point, then 8·10."""

    def __init__(self, width=8, kernel=3):
        super().__init__()
        self.stem = nn.Conv2d(3, width, kernel, padding=kernel // 2)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.stem(x).mean((-2, -1)))
'''
STEM, HEAD = 16 * 16 * 8 * 3 * 9, 8 * 10
PARAMS = 8 * 27 + 8 + 80 + 10
RESNET34, VGG19 = 3_663_761_408, 19_632_062_464


class Folder:
    """An empty folder with a shell in it, in which resflops is installed."""

    def __init__(self, path, capsys):
        self.path, self.capsys = path, capsys

    def write(self, name, text):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def read(self, name):
        return (self.path / name).read_text(encoding="utf-8")

    def run(self, *words, status=0):
        """Run a program, of resflops if none is named; give what it wrote to each stream."""
        command = [sys.executable, "-m", "resflops", *words[1:]] if words[0] == "resflops" else list(words)
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
        # What a git hook of the surrounding repository would hand on to the one that is made here.
        for name in [name for name in environment if name.startswith("GIT_")]:
            del environment[name]
        done = subprocess.run(
            command,
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == status, (words, done.stdout, done.stderr)
        return done.stdout, done.stderr

    def type(self, line, *, status=0):
        """Type a line that has no quotes."""
        return self.run(*line.split(), status=status)

    def call(self, line, *, status=0):
        """Run resflops in this process, where torch is imported once."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.path)
            # Versions of one file have one size: of one second, the second would be read from the first's cache.
            patch.setattr(sys, "dont_write_bytecode", True)
            assert main(line.split()[1:]) == status, line
        return self.capsys.readouterr()


@pytest.fixture
def folder(tmp_path, capsys):
    return Folder(tmp_path, capsys)


def test_a_table_for_a_paper(folder):
    """Two networks, then mine, then LaTeX that compiles within the column."""
    out, err = folder.type("resflops resnet34 vgg19")
    assert err == ""
    for figure in (f"{RESNET34:,}", f"{VGG19:,}", "21,797,672", "143,667,240", "18.7 %"):
        assert figure in out
    # A typing error costs its own row, not the others.
    out, err = folder.type("resflops table resnet34 resnet35 vgg19", status=1)
    assert f"{VGG19:,}" in out
    assert "no model named 'resnet35'; closest: " in re.sub(r"\s+", " ", out)
    assert err == "resflops: could not count resnet35\n"
    # My own network, at two resolutions, under a name for print.
    folder.write("nets.py", NETS)
    line = "resflops table ours=nets.py:Detector resnet34 --input 1x3x32x32 1x3x64x64 --format csv"
    rows = list(csv.DictReader(io.StringIO(folder.type(line)[0])))
    # Every map of ResNet-34 has 1/49 of the points at 32 pixels that it has at 224; the last layer has one.
    convolutions, classifier = (RESNET34 - 512 * 1000) // 49, 512 * 1000
    assert [(row["model"], row["input"], int(row["macs"])) for row in rows] == [
        ("ours", "1x3x32x32", 4 * STEM + HEAD),
        ("ours", "1x3x64x64", 16 * STEM + HEAD),
        ("resnet34", "1x3x32x32", convolutions + classifier),
        ("resnet34", "1x3x64x64", 4 * convolutions + classifier),
    ]
    folder.type(
        "resflops table resnet34 vgg19 --columns model params macs --units G --precision 2 --out cost.tex"
    )
    table = folder.read("cost.tex")
    assert re.search(r"resnet34 & .*21\.80.* & .*3\.66", table)
    assert re.search(r"vgg19 & .*143\.67.* & .*19\.63", table)
    folder.type("resflops layers resnet34 --out layers.tex")
    assert "longtable" in folder.read("layers.tex")
    if shutil.which("pdflatex"):
        folder.write(
            "paper.tex",
            "\\documentclass{article}\n\\usepackage{booktabs,longtable}\n\\begin{document}\n"
            "\\input{cost.tex}\n\\input{layers.tex}\n\\end{document}\n",
        )
        log, _ = folder.type("pdflatex -interaction=nonstopmode paper.tex")
        assert "Overfull" not in log


def test_the_cost_gate_in_a_new_repository(folder):
    """Configure, lock, commit; a larger kernel fails and is named, and is agreed to by another lock."""
    for line in ("git init -q", "git config user.email me@example.com", "git config user.name Me"):
        folder.type(line)
    folder.write("nets.py", NETS)
    folder.type("resflops check", status=2)
    folder.write(
        "pyproject.toml",
        '[tool.resflops.models]\nbackbone = "ResNet34"\n\n[tool.resflops.models.detector]\n'
        'spec = "nets.py:Detector"\ninput = "1x3x16x16"\nbudget = { macs = "100k" }\n',
    )
    assert "resflops.lock" in folder.type("resflops check", status=2)[1]
    out, _ = folder.type("resflops lock")
    assert f"{RESNET34:,}" in out
    assert f"{STEM + HEAD:,}" in out
    assert "commit it" in out
    folder.type("git add -A")
    folder.type("git commit -qm locked")
    assert "all 2 models pass" in folder.call("resflops check").out
    folder.write("nets.py", NETS.replace("kernel=3", "kernel=5"))
    out, _ = folder.type("resflops check", status=1)
    grown = 16 * 16 * 8 * 3 * 25
    for told in (f"{STEM + HEAD:,}", f"{grown + HEAD:,}", f"+{grown - STEM:,}", "stem", "3×3×3→8", "5×5×3→8"):
        assert told in out
    assert "resflops lock detector" in out
    folder.call("resflops lock -m detector")
    # The budget is broken still: what is locked is agreed to, and the budget is not.
    out, _ = folder.call("resflops check", status=1)
    assert "100,000" in out
    folder.write("pyproject.toml", folder.read("pyproject.toml").replace("100k", "200k"))
    folder.call("resflops check")
    folder.type("git add -A")
    folder.run("git", "commit", "-qm", "a larger stem")
    out, _ = folder.type("resflops diff --rev HEAD~1..HEAD detector")
    assert f"+{grown - STEM:,}" in out
    folder.write("pyproject.toml", folder.read("pyproject.toml").replace("budget", "bugdet"))
    assert "closest: budget" in folder.type("resflops check", status=2)[1]


QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 1024, "intermediate_size": 3072,
    "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
    "vocab_size": 151_936, "tie_word_embeddings": True,
}  # fmt: skip


def test_configs_of_hugging_face(folder):
    """An id is answered with where to get its config; the config is counted, whole and by its path alone."""
    pytest.importorskip("transformers")
    _, err = folder.type("resflops Qwen/Qwen3-0.6B", status=2)
    assert "nothing is downloaded" in err
    (advised,) = re.findall(r"and give (\S+)", err)
    assert advised == "hf/Qwen3-0.6B/config.json"
    folder.write("Qwen3-0.6B/config.json", json.dumps(QWEN3))
    out, _ = folder.run(
        "resflops",
        "table",
        advised,
        "Qwen3-0.6B/config.json",
        "--input",
        "1",
        "--batch",
        "1",
        "2",
        "--format",
        "json",
    )
    rows = json.loads(out)["rows"]
    # Of one token, each weight of a matrix is used once, and attention adds 2·16·128 a layer.
    weights = 28 * (1024 * 128 * (16 + 8 + 8) + 16 * 128 * 1024 + 3 * 1024 * 3072) + 1024 * 151_936
    attention = 28 * 2 * 16 * 128
    assert [(row["model"], row["input"], row["params"], row["macs"]) for row in rows] == [
        (advised, "1x1", 596_049_920, weights + attention),
        (advised, "2x1", 596_049_920, 2 * (weights + attention)),
    ]
    out, _ = folder.type("resflops models hf/qwen3_m")
    assert "hf/qwen3_moe" in out


CELLS = [
    "import resflops\ncost = resflops.count('resnet34')\ncost",
    "cost.macs, cost.params, cost.under('formula').total",
    "resflops.table(['resnet34', 'vgg19'])",
    "cost.summary(depth=1)",
    "from nets import Detector\nmine = resflops.count(Detector(), (1, 3, 16, 16))\nmine",
    "mine.macs",
    "repr(cost)",
]


def show(cell, names):
    """Run a cell and show its last expression as a notebook does: as HTML if it can be, or else its repr."""
    *statements, last = ast.parse(cell).body
    exec(compile(ast.Module(statements, []), "cell", "exec"), names)
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    as_html = getattr(value, "_repr_html_", None)
    return as_html() if as_html else repr(value)


def test_a_notebook(folder, monkeypatch):
    """A cost shows itself as a table, has its figures as whole numbers, and one line for a print."""
    folder.write("nets.py", NETS)
    monkeypatch.syspath_prepend(folder.path)
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    names = {}
    cost, figures, table, summary, mine, macs, line = (show(cell, names) for cell in CELLS)
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    for html in (cost, table, summary, mine):
        assert "<table" in html
    assert f"{RESNET34:,}" in cost
    assert figures == f"({RESNET34}, 21797672, 3667500520)"
    assert f"{VGG19:,}" in table
    assert "layer4" in summary
    assert macs == str(STEM + HEAD)
    assert "\n" not in line
    assert len(line) < 200
    assert names["mine"].params == PARAMS
    assert isinstance(names["cost"], resflops.Cost)


def test_a_bench_on_the_cpu(folder):
    """Measure briefly, go on, show again, and set the times beside the costs."""
    brief = "--device cpu --seconds 0.01 --warm-up 0 --energy-seconds 0 --least 2 --no-progress"
    folder.type(f"resflops bench resnet20 resnet32 --batch 1,2 --dtype FP32 --rounds 2 {brief} --save s.json")
    stored = json.loads(folder.read("s.json"))
    assert stored["effort"]["rounds"] == 2
    assert (
        "already; continue it with --resume"
        in folder.type(f"resflops bench resnet20 --rounds 2 {brief} --save s.json", status=2)[1]
    )
    out, _ = folder.type("resflops bench --show s.json --format json")
    rows = json.loads(out)["latency"]
    assert sorted((row["model"], row["batch"], row["macs"]) for row in rows) == [
        ("resnet20", 1, 40_551_040),
        ("resnet20", 2, 2 * 40_551_040),
        ("resnet32", 1, 68_862_592),
        ("resnet32", 2, 2 * 68_862_592),
    ]
    assert all(row["seconds"] > 0 for row in rows)
    out, _ = folder.type("resflops table resnet20 resnet32 --latency s.json")
    assert "40,551,040" in out
    assert "68,862,592" in out
