"""Names as people write them: in any case, several with commas, formats by their endings."""

import json

import pytest

from resflops.cli import main


def read_models(capsys, *arguments):
    assert main([*arguments, "--format", "json"]) == 0
    return [row["model"] for row in json.loads(capsys.readouterr().out)["rows"]]


@pytest.mark.parametrize(
    ("given", "models"),
    [
        ("ResNet20", ["resnet20"]),
        ("RESNET20,num_classes=7", ["resnet20,num_classes=7"]),
        ("resnet20,vgg19", ["resnet20", "vgg19"]),
        ("resnet20, VGG19", ["resnet20", "vgg19"]),
        ("resnet20,num_classes=7,vgg19", ["resnet20,num_classes=7", "vgg19"]),
        ("resnet20 ResNet20", ["resnet20"]),
        ("VGG1[69]", ["vgg16", "vgg19"]),
        ("torchvision/resnet18,resnet20", ["torchvision/resnet18", "resnet20"]),
        ("TorchVision/ResNet18", ["torchvision/resnet18"]),
        ("timm/ResNet18", ["timm/resnet18"]),
    ],
)
def test_models_in_any_case_and_with_commas_between_them(capsys, given, models):
    assert read_models(capsys, "table", *given.split()) == models


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            "resnet20,resnet35",
            "'resnet35' is not an option; write name=value, as in resnet20,num_classes=10, or",
        ),
        ("resnet20,resnet35", "or give two models as resnet20 resnet35"),
        ("resnet20,oops=1", "no option 'oops'"),
    ],
)
def test_a_comma_before_what_is_neither_an_option_nor_a_model_is_explained(capsys, given, says):
    assert main(["table", given]) == 2
    assert says in capsys.readouterr().err


def test_layers_takes_one_of_them(capsys):
    assert main(["layers", "resnet20,vgg19"]) == 2
    assert "'resnet20,vgg19' stands for 2 models, but only one can be given here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("MACS", "macs"),
        ("Fvcore", "fvcore"),
        ("flopcountermode", "FlopCounterMode"),
        ("DEEPSPEED", "DeepSpeed"),
    ],
)
def test_conventions_in_any_case(capsys, given, named):
    assert main(["table", "resnet20", "--convention", given, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["convention"] == named


@pytest.mark.parametrize(
    ("given", "begins"),
    [
        ("md", "**Cost"),
        ("Markdown", "**Cost"),
        ("tex", "% needs"),
        ("LaTeX", "% needs"),
        ("JSON", "{"),
        (".csv", "model,"),
        ("txt", "Cost"),
        ("htm", "<"),
    ],
)
def test_formats_by_their_names_and_endings_in_any_case(capsys, given, begins):
    assert main(["table", "resnet20", "--format", given]) == 0
    assert capsys.readouterr().out.startswith(begins)


def test_a_dash_is_standard_output(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["table", "resnet20", "--format", "csv", "--out", "-"]) == 0
    assert capsys.readouterr().out.startswith("model,")
    assert main(["table", "resnet20", "-o-"]) == 0
    assert "40,551,040" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("fp16", "float16"),
        ("half", "float16"),
        ("BF16", "bfloat16"),
        ("fp32", "float32"),
        ("float", "float32"),
        ("torch.float64", "float64"),
        ("double", "float64"),
    ],
)
def test_the_usual_names_of_element_types(given, meant):
    from resflops.latency.configuration import read_dtype

    assert read_dtype("--dtype", given) == meant


def test_the_gate_takes_them_too(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resflops.toml").write_text(
        '[models.a]\nspec = "ResNet20"\ndtype = "fp16"\nconvention = "MACS"\n'
    )
    assert main(["lock"]) == 0
    assert "float16" in (tmp_path / "resflops.lock").read_text()
    assert main(["check"]) == 0
