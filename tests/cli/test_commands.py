"""Every command, in this process: what it writes, and where."""

import json
import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import resflops.cli
from resflops import __version__
from resflops.cli import main
from resflops.cli.commands import COMMANDS, load_command
from resflops.cost.convention import CONVENTIONS
from resflops.models import NETWORKS


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_the_papers_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "table", "--models", "resnet34", "vgg19")
    for figure in (
        "3,663,761,408",
        "3.66 G",
        "18.7 %",
        "3.6×10⁹, He et al. 2015: ours truncated",
        "MACs",
    ):
        assert figure in text


@pytest.mark.parametrize(
    ("convention", "totals"),
    [("macs", [3_663_761_408, 19_632_062_464]), ("formula", [3_667_500_520, 19_646_923_752])],
)
def test_the_total_is_under_the_convention(
    capsys: pytest.CaptureFixture[str], convention: str, totals: list[int]
) -> None:
    text = run(
        capsys, "table", "--models", "resnet34", "vgg19", "--convention", convention, "--format", "json"
    )
    document = json.loads(text)
    assert document["convention"] == convention
    assert [row["total"] for row in document["rows"]] == totals
    assert [row["macs"] for row in document["rows"]] == [3_663_761_408, 19_632_062_464]


@pytest.mark.parametrize(("given", "counted"), [("3x64x64", "1x3x64x64"), ("4x3x64x64", "4x3x64x64")])
def test_an_input_has_its_batch_or_gets_one(
    capsys: pytest.CaptureFixture[str], given: str, counted: str
) -> None:
    document = json.loads(run(capsys, "layers", "resnet20", "--input", given, "--format", "json"))
    assert document["input"] == counted


def test_a_batch_multiplies_the_cost(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "table", "--models", "resnet20", "--input", "4x3x32x32", "--format", "json")
    assert json.loads(text)["rows"][0]["macs"] == 4 * 40_551_040


def test_models_may_be_named_in_several_places_and_count_once(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(
        capsys, "table", "--models", "resnet32", "resnet20", "--models", "resnet20", "--format", "json"
    )
    assert [row["model"] for row in json.loads(text)["rows"]] == ["resnet32", "resnet20"]


def test_a_spec_with_options_is_named_as_it_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "layers", "resnet20,num_classes=7", "--depth", "1")
    assert "resnet20,num_classes=7 by module, depth 1" in text
    assert "1×7" in text


def test_layers_leaves_out_what_all_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert "(relu 1" in run(capsys, "layers", "resnet20").replace("relu 19", "relu 1")
    assert "adaptive_avg_pool2d" in run(capsys, "layers", "resnet20", "--all")


@pytest.mark.parametrize(
    ("ending", "begins"),
    [
        (".md", "**Built"),
        (".csv", "family,"),
        (".json", "{"),
        (".tex", "% needs"),
        (".txt", "Built"),
        ("", "Built"),
    ],
)
def test_the_ending_of_the_file_says_the_format(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, ending: str, begins: str
) -> None:
    file = tmp_path / f"models{ending}"
    assert run(capsys, "models", "--out", str(file)) == ""
    assert file.read_text(encoding="utf-8").startswith(begins)


def test_a_format_that_is_asked_for_beats_the_ending(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "ops.md"
    run(capsys, "ops", "--format", "json", "--out", str(file))
    assert {"rows", "free"} <= set(json.loads(file.read_text(encoding="utf-8")))


def test_models_lists_all_networks(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(run(capsys, "models", "--format", "json"))["rows"]
    assert [row["model"] for row in rows] == list(NETWORKS)


def test_conventions_lists_and_explains(capsys: pytest.CaptureFixture[str]) -> None:
    def read(*arguments: str) -> str:
        return " ".join(run(capsys, *arguments).split())

    listed = json.loads(run(capsys, "conventions", "--format", "json"))["rows"]
    for name, each in CONVENTIONS.items():
        assert each.counts in [row["counts"] for row in listed]
        explained = read("conventions", name)
        assert each.counts in explained
        assert each.source in explained
        assert "conv2d" in explained
    assert "prices: 2 per MAC, 1 per bias add" in read("conventions", "flops")


def test_the_list_of_commands_has_each_module_that_is_one() -> None:
    names = [module.name for module in iter_modules(resflops.cli.__path__)]
    modules = {name: import_module(f"resflops.cli.{name}") for name in names}
    commands = {name for name, module in modules.items() if "COMMAND" in getattr(module, "__all__", ())}
    assert commands == set(COMMANDS)
    assert {name: load_command(name) for name in COMMANDS} == {
        name: modules[name].COMMAND for name in COMMANDS
    }


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=" ".join)
@pytest.mark.parametrize("width", ["20", "50", "80", "200"])
def test_plain_help_has_the_text_of_the_coloured_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str], width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    plain = run(capsys, *command, "--help")
    assert "\x1b" not in plain
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = run(capsys, *command, "--help")
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain


def test_help_is_what_no_command_gets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys) == run(capsys, "--help")


@pytest.mark.parametrize("command", ["table", "layers", "report", "bench", "models", "conventions", "ops"])
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert f"resflops {command}" in run(capsys, command, "--help")
    assert command in run(capsys)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == f"resflops {__version__}\n"


@pytest.mark.parametrize("place", [("--no-progress", "models"), ("models", "--no-progress")])
def test_no_progress_goes_before_the_command_or_after(
    capsys: pytest.CaptureFixture[str], place: tuple[str, ...]
) -> None:
    assert "resnet34" in run(capsys, *place)
