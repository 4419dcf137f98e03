"""Every code block of the README, the guides and CONTRIBUTING does what it says, and every link leads somewhere."""

import ast
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml
from onnx import TensorProto, helper

from resflops.cli import main
from resflops.cli.commands import COMMANDS, build_parsers, load_command
from resflops.extensions import GROUPS

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / ".github" / "CONTRIBUTING.md",
    *sorted((ROOT / "resflops" / "guide").glob("*.md")),
)
SWEEPS = ROOT / "resflops" / "guide" / "sweeps.md"
LINKING = (*DOCUMENTS, ROOT / "CHANGELOG.md", *sorted((ROOT / "reports").rglob("*.md")))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

NETS = """
import torch
from torch import nn
from torch.nn.utils import prune


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, width, 3, padding=1), nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))


def pruned():
    net = Net()
    prune.l1_unstructured(net.head, "weight", amount=0.5)
    return net
"""

BRIEF_ROUNDS = "rounds=1, warm_up=0, seconds=0"
"""What the Python of a document measures with here, in place of three rounds: the times are not looked at."""


@cache
def find_blocks(document, language):
    """Find the blocks of a language in a document, with the lines that they begin in."""
    text = document.read_text(encoding="utf-8")
    return tuple(
        (text[: block.start()].count("\n") + 1, block[1])
        for block in re.finditer(rf"^ *```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    )


def list_cases(language):
    return [
        pytest.param(document, block, id=f"{document.name}:{line}")
        for document in DOCUMENTS
        for line, block in find_blocks(document, language)
    ]


def write_graph(path):
    """Write an ONNX file with an open batch."""
    product = helper.make_node("MatMul", ["x", "weight"], ["y"])
    given, made = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
        for name, size in (("x", 3), ("y", 4))
    )
    weight = helper.make_tensor("weight", TensorProto.FLOAT, [3, 4], [1.0] * 12)
    path.write_bytes(
        helper.make_model(helper.make_graph([product], "net", [given], [made], [weight])).SerializeToString()
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A repository with the models that the documents speak of, the guide's configuration, and measurements."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "nets.py").write_text(NETS, encoding="utf-8")
    write_graph(folder / "model.onnx")
    (space,) = [block for _, block in find_blocks(SWEEPS, "python") if block.startswith("# space.py")]
    (folder / "space.py").write_text(space, encoding="utf-8")
    shutil.copy(ROOT / "tests" / "sweeps" / "timm_results.csv", folder / "timm.csv")
    (folder / "reports" / "data").mkdir(parents=True)
    _, settings = find_blocks(ROOT / "resflops" / "guide" / "cost-gate.md", "toml")[0]
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (
        ("init", "-q", "-b", "main"),
        ("add", "-A"),
        (*identity, "commit", "-q", "-m", "first"),
        ("tag", "v1.0"),
        ("switch", "-q", "-c", "branch"),
        (*identity, "commit", "-q", "--allow-empty", "-m", "second"),
    ):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    # A document may clear the cache.
    monkeypatch.setenv("RESFLOPS_CACHE", str(folder / "cache"))
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    # A document may draw.
    monkeypatch.setenv("MPLBACKEND", "agg")
    return folder


def list_commands(block):
    """List the commands of a block of a shell, each as its words."""
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while "&&" in words:
            yield words[: words.index("&&")]
            words = words[words.index("&&") + 1 :]
        if words:
            yield words


def is_slow(words):
    """Whether a command takes minutes, or a GPU: its options are read, and it is not run."""
    whole = {"bench": "--show", "report": "--html", "crosscheck": "--peers"}
    return whole.get(words[0], words[0]) not in words or "timm/*" in words


def check_parses(words):
    _, parser = build_parsers(words[0], load_command(words[0]))
    _, unknown = parser.parse_known_args(parser.arrange(words[1:]))
    assert unknown == []


def check_installs(words):
    """Check that pip is told to install extras that there are."""
    extras = re.findall(r"\[([\w,-]+)\]", " ".join(words))
    assert set(",".join(extras).split(",")) - {""} <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize(("document", "block"), list_cases("sh"))
def test_what_a_shell_is_told_works(here, capsys, document, block):
    if "latency.json" in block and not (here / "latency.json").exists():
        brief = "--rounds 1 --warm-up 0 --seconds 0 --least 1 --device cpu --no-progress"
        assert main(["bench", "resnet20", *brief.split(), "--save", "latency.json"]) == 0
    if "resflops check" in block:
        assert main(["lock", "--no-progress"]) == 0
    for name, *words in list_commands(block):
        program = Path(name).name
        if program == "resflops" and (name != program or is_slow(words)):
            check_parses(words)
        elif program == "resflops":
            assert main(words) == 0, capsys.readouterr().err
        else:
            check_is_there(program, words)


def check_is_there(program, words):
    if "install" in words:
        check_installs(words)
    elif program.startswith("python"):
        assert words[0] in {"-m", ".ci/install.py"} or (ROOT / words[0]).exists(), words
    elif program == "nox":
        assert (ROOT / words[words.index("-f") + 1]).exists()
    else:
        assert program in {"git", "cd", "pre-commit", "pytest"}, program


def test_the_main_job_and_the_tests_are_two_commands_and_ci_runs_the_second():
    (_, block), *_ = find_blocks(ROOT / "README.md", "sh")
    main_job, tests = [line for line in block.splitlines() if line and not line.startswith("#")]
    assert main_job.endswith(" && .venv/bin/resflops table resnet34 vgg19")
    assert tests in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_readme_shows_what_the_first_command_prints(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["table", "resnet34", "vgg19"]) == 0
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"```\n{capsys.readouterr().out.rstrip()}\n```" in readme


def test_the_guide_shows_what_the_gate_says(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    # Both versions of the file have one size: of one second, the second would be read from the first's cache.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "pyproject.toml").write_text(
        (folder / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    for kernel in ("3, padding=1", "5, padding=2"):
        (tmp_path / "nets.py").write_text(NETS.replace("3, padding=1", kernel), encoding="utf-8")
        status = main(["lock" if kernel.startswith("3") else "check", "--no-progress"])
        said = capsys.readouterr().out
    assert status == 1
    guide = (ROOT / "resflops" / "guide" / "cost-gate.md").read_text(encoding="utf-8")
    assert f"```\n{said.rstrip()}\n```" in guide


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_the_python_of_a_document_runs_from_top_to_bottom(here, document):
    if document.name == "CONTRIBUTING.md":
        pytest.skip("it quotes the code of the package")
    blocks = [block for _, block in find_blocks(document, "python") if "def test_" not in block]
    if not blocks:
        pytest.skip("it has none")
    if any("zoo.csv" in block for block in blocks) and not (here / "zoo.csv").exists():
        words = "timm/resnet18 -i 3x224x224 --convention macs fvcore --workers 1 --out zoo.csv"
        assert main(["sweep", *words.split()]) == 0
    code = "\n".join(map(add_checks, blocks))
    script = here / "script.py"
    script.write_text(code.replace("rounds=3", BRIEF_ROUNDS), encoding="utf-8")
    if "@resflops.rule(" in code:
        # Rules hold for the whole process.
        run_python(here, str(script))
    else:
        runpy.run_path(str(script))


def test_the_code_that_contributing_quotes_is_that_of_the_package():
    (_, block), *more = find_blocks(ROOT / ".github" / "CONTRIBUTING.md", "python")
    code = (ROOT / "resflops" / "ops" / "normalization.py").read_text(encoding="utf-8")
    assert more == []
    for part in block.strip().split("\n\n\n"):
        assert part in code


def add_checks(block):
    """Add a check after each line whose comment is its value."""
    lines = []
    for line in block.splitlines():
        lines.append(line)
        said = re.match(r"(print\()?(?P<code>[\w.]+[^#=]*?)\)?\s+# (?P<value>.+)$", line)
        if not said:
            continue
        code = (
            said["code"]
            if not said[1] or said["code"].count("(") == said["code"].count(")")
            else f"{said['code']})"
        )
        value = read_value(said["value"], several=bool(said[1]))
        if value is not None:
            lines.append(f"assert ({code}) == {value}, ({code})")
    return "\n".join(lines)


def read_value(comment, *, several):
    """Read the value that a comment begins with; of a print of several, separated by blanks."""
    if several and re.fullmatch(r"\d+( \d+)+", comment):
        return f"({comment.replace(' ', ', ')})"
    for text in (comment, comment.partition(", from")[0], comment.partition(":")[0]):
        try:
            return repr(ast.literal_eval(text))
        except (SyntaxError, ValueError):
            continue
    return None


def run_python(folder, *words):
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_of_the_documents_pass_once_they_are_locked(tmp_path):
    for document in DOCUMENTS:
        for line, block in find_blocks(document, "python"):
            if "def test_" in block:
                (tmp_path / f"test_{document.stem}_{line}.py").write_text(block, encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == 2
    # Plugins that take seconds to load.
    without = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio")
    for words in (["--resflops-lock"], []):
        run_python(tmp_path, "-m", "pytest", "-q", *without, *words)


@pytest.mark.parametrize(("document", "block"), list_cases("toml"))
def test_the_settings_of_a_document_are_read(document, block):
    settings = tomllib.loads(block)
    assert set(settings) <= {"tool", "project"}
    assert set(settings.get("project", {}).get("entry-points", {})) <= set(GROUPS)


@pytest.mark.parametrize(("document", "block"), list_cases("yaml"))
def test_a_step_of_a_workflow_names_an_action_and_inputs_that_there_are(document, block):
    for step in yaml.safe_load(block):
        path = re.fullmatch(r"[\w-]+/[\w-]+/(?P<path>.+)@\w+", step["uses"])["path"]
        action = yaml.safe_load((ROOT / path / "action.yml").read_text(encoding="utf-8"))
        assert set(step["with"]) <= set(action["inputs"])


@pytest.mark.parametrize("document", LINKING, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(document):
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text)
    for target in ("".join(pair) for pair in targets):
        if target.startswith("http"):
            continue
        path, _, heading = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), target
        if heading:
            assert heading in list_anchors(found), target


def list_anchors(document):
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("guide", DOCUMENTS[2:], ids=lambda guide: guide.name)
def test_the_readme_links_to_every_guide(guide):
    assert f"](resflops/guide/{guide.name})" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS[2:], ids=lambda document: document.name)
def test_the_code_of_a_guide_fits_a_terminal(document):
    blocks = [block for language in ("sh", "python", "toml") for _, block in find_blocks(document, language)]
    lines = [line for block in blocks for line in block.splitlines()]
    assert [line for line in lines if len(line) > 78] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 250


def test_commands_that_documents_name_are_there():
    for document in DOCUMENTS:
        named = re.findall(r"`resflops ([a-z]+)", document.read_text(encoding="utf-8"))
        assert set(named) - {"resnet"} <= set(COMMANDS) | {"version"}, document.name
