"""``--columns``, ``--sort``, ``--units``, ``--precision`` and labels, as people type them."""

import json

import pytest

from resflops.cli import main
from resflops.tables import breakdown, comparison

JSON = ["--format", "json"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = main(arguments)
    captured = capsys.readouterr()
    assert status == 0, captured.err
    return captured.out


def read_rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(run(capsys, *arguments, *JSON))["rows"]
    return rows


@pytest.mark.parametrize(
    "words",
    [
        ["--columns", "model,macs"],
        ["--columns=model,macs"],
        ["--columns", "model", "macs"],
        ["--columns", "model", "--columns", "MACs"],
    ],
)
def test_columns_are_listed_with_commas_or_spaces(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert read_rows(capsys, "table", "vgg19", *words, "resnet34") == [
        {"model": "vgg19", "macs": 19_632_062_464},
        {"model": "resnet34", "macs": 3_663_761_408},
    ]


@pytest.mark.parametrize("words", [["--sort", "-macs"], ["--sort=-macs"], ["--sort", "-MACs"]])
def test_a_column_to_sort_by_may_begin_with_a_dash(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    rows = read_rows(capsys, "table", *words, "resnet20", "vgg19", "resnet34")
    assert [row["model"] for row in rows] == ["vgg19", "resnet34", "resnet20"]


def test_columns_are_added_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = read_rows(capsys, "table", "resnet20", "--columns", "+batch,-ratio")
    assert row["batch"] == 1
    assert "ratio" not in row


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--columns", "modle"], "no column named 'modle'; closest: model"),
        (["--sort", "macx"], "no column named 'macx'; closest: macs"),
        (["--units", "Q"], "no unit 'Q'; available: auto, K, M, G, T and none"),
        (["--precision", "-1"], "--precision takes a number of decimals, 0 to 15, got '-1'"),
        (["--columns", "training_total"], "this table has no column named 'training_total'"),
    ],
)
def test_a_wish_that_cannot_be_met_is_told(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["table", "resnet20", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"resflops: {message}")


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (["table", "resnet20", "vgg19"], comparison.COLUMN_NAMES),
        (["table", "A=resnet20", "--training", "--nonzero", "--input", "8x3x32x32"], comparison.COLUMN_NAMES),
        (["table", "resnet20", "nothing_like_it"], comparison.COLUMN_NAMES),
        (["layers", "resnet20"], breakdown.COLUMN_NAMES),
        (["layers", "vgg11", "--depth", "1", "--convention", "flops"], breakdown.COLUMN_NAMES),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_the_names_in_the_help_are_those_of_the_tables(
    capsys: pytest.CaptureFixture[str], command: list[str], names: tuple[str, ...]
) -> None:
    main([*command, "--format", "csv"])
    shown = capsys.readouterr().out.splitlines()[0].split(",")
    assert set(shown) - {"convention", "stored"} <= {*names}


@pytest.mark.parametrize(
    "words",
    [["bench", "resnet20", "--columns", "secnds"], ["crosscheck", "resnet20", "--columns", "diference"]],
    ids=" ".join,
)
def test_a_mistyped_column_is_refused_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"no column named {words[-1]!r}; closest: " in captured.err


def test_the_help_lists_the_columns(capsys: pytest.CaptureFixture[str]) -> None:
    words = run(capsys, "table", "--help").replace(",", " ").split()
    assert {*comparison.COLUMN_NAMES} <= {*words}


def test_a_batch_has_its_figure_per_sample(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = read_rows(capsys, "table", "resnet34", "--input", "8x3x224x224")
    assert (row["macs"], row["total_per_sample"], row["batch"]) == (29_310_091_264, 3_663_761_408, 8)
    assert "MACs per" in run(capsys, "table", "resnet34", "--input", "8x3x224x224")
    assert "per" not in run(capsys, "table", "resnet34").split()


def test_layers_of_a_batch_say_what_a_sample_costs(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "layers", "resnet20", "--input", "8x3x32x32")
    assert "Per sample, of a batch of 8: 40,551,040 MACs." in out


def test_a_figure_per_sample_that_is_a_fraction_says_so(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    file = tmp_path / "once.py"
    file.write_text(
        "import torch\n\nclass Once(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.weight = torch.nn.Parameter(torch.zeros(3, 3))\n\n"
        "    def forward(self, x):\n        return x @ (self.weight @ self.weight)\n",
        encoding="utf-8",
    )
    out = run(capsys, "table", f"Mine={file}:Once", "--input", "8x3")
    assert "12.375" in out
    assert "that of Mine is a fraction" in " ".join(out.split())


@pytest.mark.parametrize(
    ("text", "name", "spec"),
    [
        ("Ours=resnet20", "Ours", "resnet20"),
        ("ResNet-20 (A)=resnet20,num_classes=100", "ResNet-20 (A)", "resnet20,num_classes=100"),
        ("resnet20,num_classes=100", "resnet20,num_classes=100", "resnet20,num_classes=100"),
        ("Ours [12]=resnet20", "Ours [12]", "resnet20"),
    ],
)
def test_a_model_goes_by_its_label_and_json_keeps_the_spec(
    capsys: pytest.CaptureFixture[str], text: str, name: str, spec: str
) -> None:
    (row,) = read_rows(capsys, "table", text, "--columns", "model,spec")
    assert row == {"model": name, "spec": spec}


def test_a_path_with_an_equals_sign_is_no_label(
    capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "lr=0.1"
    folder.mkdir()
    (folder / "net.py").write_text("import torch\n\ndef make():\n    return torch.nn.Linear(4, 2)\n")
    monkeypatch.chdir(tmp_path)
    (row,) = read_rows(capsys, "table", "lr=0.1/net.py:make", "--input", "1x4", "--columns", "model,macs")
    assert row == {"model": "lr=0.1/net.py:make", "macs": 8}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["A=resnet20", "A=vgg11"], "'A' is the name of two models, resnet20 and vgg11"),
        (["vgg11=resnet20", "vgg11"], "'vgg11' is the label of resnet20, and the name of another model"),
        (["A=resnet*"], "the label 'A' stands for one model, got"),
        (["A=resnet20,vgg11"], "the label 'A' stands for one model, got 2"),
        (["A="], "'A=' has no model after the ="),
    ],
)
def test_a_label_is_the_name_of_one_model(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["table", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_label_stands_in_every_command_and_format(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    assert "Ours by layer" in run(capsys, "layers", "Ours=resnet20")
    assert "Base → Ours" in run(capsys, "diff", "Base=resnet20", "Ours=resnet32")
    for name in ("terminal", "markdown", "latex", "html", "csv", "tsv"):
        assert "Ours" in run(capsys, "table", "Ours=resnet20", "--format", name)
    run(capsys, "report", "--html", str(tmp_path / "page.html"), "Ours=resnet20")
    assert "<title>What Ours costs</title>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_published_ratio_is_judged_under_labels_too(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "table", "Ours=resnet34", "Base=vgg19")
    assert "print 18% for Ours relative to Base" in " ".join(out.split())
