"""What people type first: models anywhere, options anywhere and under their usual short names."""

import json

import pytest

from resflops import __version__
from resflops.cli import main
from resflops.cli.commands import COMMANDS, build_parsers, load_command
from resflops.errors import UsageError


def run(capsys, *arguments):
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def list_models(capsys, line):
    return [row["model"] for row in json.loads(run(capsys, *line.split(), "--format", "json"))["rows"]]


@pytest.mark.parametrize(
    "line",
    [
        "table resnet20 vgg19",
        "table --models resnet20 vgg19",
        "table -m resnet20 -m vgg19",
        "table --model resnet20 --models vgg19",
        "table resnet20 --models vgg19",
        "table resnet20 --convention macs vgg19",
        "table --convention macs resnet20 --strict vgg19",
        "table --models resnet20 --convention macs vgg19",
        "--convention macs table resnet20 vgg19",
        "resnet20 vgg19",
        "--no-progress resnet20 vgg19",
        "-m resnet20 vgg19",
        "--convention macs resnet20 vgg19",
        "TABLE resnet20 vgg19",
    ],
)
def test_models_stand_anywhere_and_table_may_be_left_out(capsys, line):
    assert list_models(capsys, line) == ["resnet20", "vgg19"]


@pytest.mark.parametrize(
    "line",
    ["layers resnet20", "layers -m resnet20", "layers --all --models resnet20", "--all layers resnet20"],
)
def test_layers_takes_its_model_likewise(capsys, line):
    assert json.loads(run(capsys, *line.split(), "--format", "json"))["model"] == "resnet20"


@pytest.mark.parametrize("line", ["diff resnet20 resnet32", "diff --models resnet20 resnet32"])
def test_diff_takes_its_models_likewise(capsys, line):
    assert "resnet32" in run(capsys, *line.split())


@pytest.mark.parametrize("line", ["-V", "--version", "version", "--version table"])
def test_the_version_under_each_name(capsys, line):
    assert run(capsys, *line.split()) == f"resflops {__version__}\n"


@pytest.mark.parametrize("line", ["help table", "--help table", "-h table", "table -h", "help Table"])
def test_the_help_of_a_command_under_each_name(capsys, line):
    assert run(capsys, *line.split()) == run(capsys, "table", "--help")


def test_help_alone_is_the_general_help(capsys):
    assert run(capsys, "help") == run(capsys, "-h") == run(capsys, "--help")


def test_the_short_options(capsys, tmp_path):
    file = tmp_path / "x.json"
    run(capsys, "table", "-m", "resnet20", "-i", "3x64x64", "-o", str(file))
    assert [row["input"] for row in json.loads(file.read_text())["rows"]] == ["1x3x64x64"]
    run(capsys, "table", "-mresnet20", f"-o{file}")
    assert [row["input"] for row in json.loads(file.read_text())["rows"]] == ["1x3x32x32"]


OPTIONS = [
    pytest.param(name, option, id=f"{name} {option.option_strings[-1]}")
    for name in COMMANDS
    for option in build_parsers(name, load_command(name))[1]._actions
    if option.option_strings and option.nargs != 0
]


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_no_option_that_is_given_twice_loses_a_value(name, option):
    """Either both values arrive, or the second is refused with a message."""
    parser = build_parsers(name, load_command(name))[1]
    for action in parser._actions:
        # Values are texts here: what the readers refuse is tested with each option.
        action.type = None
    first, last = option.option_strings[0], option.option_strings[-1]
    # What else the command requires.
    model = ["resnet20"] if option.dest == "columns" and name == "layers" else []
    for words in ([*model, last, "1", last, "2"], [*model, first, "1", f"{last}=2"]):
        if type(option).__name__ == "_StoreAction":
            with pytest.raises(UsageError, match=f"^{last} is given twice, with '1' and '2'; give it once$"):
                parser.arrange(words)
        else:
            args, unexpected = parser.parse_known_args(parser.arrange([*words, "resnet34"]))
            found = {tuple(value)[:2] for value in vars(args).values() if isinstance(value, list)}
            # Of a command that takes one model, the second is an unexpected argument.
            assert ("1", "2") in found or (args.model, unexpected) == ("1", ["2", "resnet34"])


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_keeps_one_value_is_known_to_do_so(name):
    """A new kind of action would have to say what becomes of a second value."""
    parser = build_parsers(name, load_command(name))[1]
    kinds = {type(option).__name__ for option in parser._actions if option.option_strings}
    assert kinds <= {"_StoreAction", "_StoreTrueAction", "_HelpAction", "_AppendAction", "_Extend"}
    assert all(
        type(option).__name__ != "_StoreAction" or option.nargs in (None, "?")
        for option in parser._actions
        if option.option_strings
    )


def test_the_same_value_twice_is_no_contradiction(capsys):
    run(capsys, "table", "resnet20", "--format", "json", "--format", "json")
