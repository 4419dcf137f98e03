"""Every mistake gets one message, exit status 2 and nothing half-written."""

import sys
from pathlib import Path

import pytest

from resflops.cli import main
from resflops.sources import counting


def run_refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("resflops: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param("tabel", "no command 'tabel'; closest: table", id="command"),
        pytest.param("resnet43", "no command 'resnet43'; closest: resnet44, resnet34", id="model-as-command"),
        pytest.param("vg19 vgg11", "no command 'vg19'; closest: vgg19", id="models-as-command"),
        pytest.param("summary resnet34", "it is called layers: resflops layers resnet34", id="summary"),
        pytest.param("flops vgg19 vgg11", "it is called table: resflops table vgg19 vgg11", id="flops"),
        pytest.param("count resnet34", "it is called table: resflops table resnet34", id="count"),
        pytest.param("help tabel", "no command or guide 'tabel' to explain; closest: table", id="help"),
        pytest.param("--verson", "no option --verson; closest: --version", id="global-option"),
        pytest.param("table", "no models are given", id="no-models"),
        pytest.param("table --modles resnet34", "no option --modles; closest: --models", id="option"),
        pytest.param(
            "table --modl resnet34", "no option --modl; closest: --model, --models", id="near-option"
        ),
        pytest.param("table --models", "expected at least one argument", id="empty-models"),
        pytest.param("table --models resnet43", "no model named 'resnet43'; closest: ", id="model"),
        pytest.param("table resnet", "another source has it: hf/resnet", id="name-elsewhere"),
        pytest.param(
            "table Mypkg.Nets.Net",
            "no model named 'Mypkg.Nets.Net'; a class or a function is named as in Mypkg.Nets:Net",
            id="dotted",
        ),
        pytest.param("mypkg.nets.Net", "is named as in mypkg.nets:Net", id="dotted-as-command"),
        pytest.param(
            "table 3x224x224", "'3x224x224' is a shape, not a model; give it as --input 3x224x224", id="shape"
        ),
        pytest.param(
            "table timm",
            "'timm' is a source of models, not a model; name one as in `resflops models timm`",
            id="source",
        ),
        pytest.param("bench resnet20 --dtype fp17", "'fp17' is unknown; closest: fp16", id="dtype"),
        pytest.param("table --models resnet34,foo=1", "no option 'foo'; it has shortcut", id="model-option"),
        pytest.param("table --models resnet34,shortcut=D", "must be one of A, B, C", id="option-value"),
        pytest.param("table --models resnet34,,", "is not an option; write name=value", id="spec"),
        pytest.param("table --models =", "is not a model spec", id="no-name"),
        pytest.param("table --models resnet34 --convention flop", "closest: flops", id="convention"),
        pytest.param("table --models resnet34 --format jsn", "closest: json", id="format"),
        pytest.param("conventions flop", "closest: flops", id="convention-name"),
        pytest.param("layers", "required: MODEL", id="no-model"),
        pytest.param("layers resnet34 vgg19", "unexpected argument 'vgg19'", id="two-models"),
        pytest.param("layers vgg1?", "'vgg1?' stands for 4 models", id="pattern"),
        pytest.param("diff vgg1? vgg19", "but only one can be given here; name one", id="pattern-in-diff"),
        pytest.param("layers resnet34 --depth 0", "at least 1, got '0'", id="depth-zero"),
        pytest.param("layers resnet34 --depth -1", "--depth", id="depth-negative"),
        pytest.param("layers resnet34 --depth two", "at least 1, got 'two'", id="depth-word"),
        pytest.param("models --out /nonexistent/x.md", "no folder /nonexistent", id="no-folder"),
        pytest.param("models --out /", "it is a folder", id="folder"),
        pytest.param("models --out /dev/null", "a device or a pipe", id="device"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(
    capsys: pytest.CaptureFixture[str], arguments: str, says: str
) -> None:
    assert says in run_refused(capsys, *arguments.split())


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ("3x0x224", "every size must be at least 1"),
        ("3x-1x2", "'-1' is not a size"),
        ("axbxc", "'a' is not a size"),
        ("", "'' is not a size"),
        ("3x224x", "'' is not a size"),
        ("3x2.5x2", "'2.5' is not a size"),
        ("3x٣x3", "'٣' is not a size"),
        ("-3x2x2", "--input"),
        ("3x224", "has 2 sizes, but resnet34 takes 3, as in 3x224x224"),
        ("1x1x3x224x224", "has 5 sizes"),
        ("3x99999999999999999999x1", "beyond any tensor"),
        ("3x999999999999x999999999999", "larger than torch can address"),
        ("4x40x40", "conv1: conv2d: takes 3 input channels, but its input has 4"),
    ],
)
def test_an_input_that_cannot_be_is_refused(
    capsys: pytest.CaptureFixture[str], shape: str, says: str
) -> None:
    assert says in run_refused(capsys, "table", "--models", "resnet34", "--input", shape)


def test_a_too_small_input_names_model_layer_and_its_input(capsys: pytest.CaptureFixture[str]) -> None:
    message = run_refused(capsys, "layers", "vgg19", "--input", "3x16x16")
    for part in ("vgg19", "1×3×16×16", "features.36", "1×512×1×1", "its usual input is 3x224x224"):
        assert part in message


def test_an_ending_that_names_no_format_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "costs.pdf"
    message = run_refused(capsys, "table", "--models", "resnet20", "--out", str(file))
    assert "costs.pdf: its ending names no format; end it in one of .csv, " in message
    assert not file.exists()
    assert main(["conventions", "--format", "markdown", "--out", str(file)]) == 0
    assert main(["conventions", "--out", str(tmp_path / "conventions")]) == 0


def test_a_factory_that_gives_no_inputs_is_named_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    nets = tmp_path / "nets.py"
    nets.write_text("from torch import nn\n\ndef net():\n    return nn.Linear(4, 4)\n", encoding="utf-8")
    message = run_refused(capsys, "table", "--models", f"{nets}:net")
    assert message.startswith(f"resflops: the inputs of {nets}:net are not known; give the shape")
    assert message.count("nets.py") == 1


def test_an_op_whose_output_is_too_large_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    message = run_refused(capsys, "table", "--models", "vgg19", "--input", "3x300000000x300000000")
    assert "more than torch can address" in message
    assert "features.0" in message


def test_where_no_model_can_be_counted_the_file_stays_as_it_was(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "table.md"
    file.write_text("before", encoding="utf-8")
    run_refused(capsys, "table", "--models", "vgg19", "--input", "3x16x16", "--out", str(file))
    assert file.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_ctrl_c_ends_quietly(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(counting, "count_model", interrupt)
    assert main(["table", "--models", "resnet20", "--fresh", "--out", str(tmp_path / "x.md")]) == 130
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_defect_keeps_its_traceback_and_is_no_failed_check(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(counting, "count_model", defect)
    assert main(["table", "--models", "resnet20", "--fresh"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" in err
    assert "please report" in err


def test_a_closed_standard_output_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["ops"]) == 0
