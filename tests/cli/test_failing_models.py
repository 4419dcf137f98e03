"""One bad model is a row, not the end of the table; 1 if some fail, 2 if none is left."""

import csv
import io
import json

import pytest

from resflops.cli import main

BRIEF = [
    "--device",
    "cpu",
    "--rounds",
    "1",
    "--seconds",
    "0",
    "--warm-up",
    "0",
    "--energy-seconds",
    "0",
    "--least",
    "1",
]


def run(capsys, status, *arguments):
    assert main(arguments) == status
    return capsys.readouterr()


@pytest.mark.parametrize(
    ("line", "failed", "says"),
    [
        ("resnet20 resnet35 vgg11", "resnet35", "no model named 'resnet35'; closest: "),
        ("resnet20 resnet32,oops=1 vgg11", "resnet32,oops=1", "no option 'oops'"),
        ("resnet20 resnet32,shortcut=D vgg11", "resnet32,shortcut=D", "must be one of A, B, C"),
        ("resnet20 nothing* vgg11", "nothing*", "no model matches 'nothing*'"),
        ("resnet20 vgg13 vgg11 --input 3x32x32 --batch 1", None, None),
        ("resnet20 nowhere.py:net vgg11", "nowhere.py:net", "there is no file 'nowhere.py'"),
        ("resnet20 google/vit-base vgg11", "google/vit-base", "looks like the id of a model on the Hugging Face Hub"),
    ],
)  # fmt: skip
def test_the_others_are_counted(capsys, line, failed, says):
    shown = run(capsys, 1 if failed else 0, "table", *line.split(), "--format", "json")
    rows = {row["model"]: row for row in json.loads(shown.out)["rows"]}
    assert [name for name, row in rows.items() if row["error"]] == ([failed] if failed else [])
    assert rows["resnet20"]["macs"] == 40_551_040
    assert list(rows).index("vgg11") == 2
    if failed:
        assert rows[failed]["macs"] is None
        assert says in rows[failed]["error"]
        assert shown.err == f"resflops: could not count {failed}\n"


@pytest.mark.parametrize("options", [("--columns", "model,macs", "--format", "csv"), ("--format", "tex")])
def test_the_reason_is_said_where_the_table_leaves_it_out(capsys, options):
    shown = run(capsys, 1, "table", "resnet20", "resnet35", *options)
    assert shown.err.startswith("resflops: could not count resnet35: no model named 'resnet35'; closest: ")


def test_a_size_that_one_model_refuses_leaves_the_others_and_names_the_option(capsys):
    shown = run(
        capsys,
        1,
        "table",
        "torchvision/resnet18",
        "torchvision/vit_b_16",
        "--input",
        "384",
        "--format",
        "json",
    )
    counted, refused = json.loads(shown.out)["rows"]
    assert (counted["model"], counted["input"]) == ("torchvision/resnet18", "1x3x384x384")
    assert (refused["macs"], refused["input"]) == (None, "384")
    assert refused["error"].endswith("torchvision/vit_b_16,image_size=384 takes this size")


def test_of_several_inputs_only_those_that_fail_are_missing(capsys):
    shown = run(capsys, 1, "table", "vgg11", "--input", "64", "16", "--format", "json")
    fine, refused = json.loads(shown.out)["rows"]
    assert fine["input"] == "1x3x64x64"
    assert "features" in refused["error"]
    assert shown.err == "resflops: could not count vgg11\n"


def test_a_table_of_numbers_has_the_reason_too(capsys):
    shown = run(capsys, 1, "table", "resnet20", "resnet35", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(shown.out)))
    assert "no model named 'resnet35'" in rows[1]["error"]
    assert rows[0]["error"] == ""


def test_a_file_is_written_with_those_that_could_be_counted(capsys, tmp_path):
    file = tmp_path / "table.md"
    run(capsys, 1, "table", "resnet20", "resnet35", "--out", str(file))
    assert "40,551,040" in file.read_text()
    assert "resnet35" in file.read_text()


def test_where_all_fail_each_reason_is_told_and_nothing_written(capsys, tmp_path):
    file = tmp_path / "table.md"
    shown = run(capsys, 2, "table", "resnet43", "vgg20", "--out", str(file))
    assert "no model named 'resnet43'; closest: " in shown.err
    assert "no model named 'vgg20'; closest: vgg" in shown.err
    assert shown.out == ""
    assert not file.exists()


def test_crosscheck_runs_counters_on_the_others(capsys):
    shown = run(
        capsys, 1, "crosscheck", "resnet20", "resnet35", "--peers", "FlopCounterMode", "--format", "json"
    )
    fine, refused = json.loads(shown.out)["rows"]
    assert (fine["model"], fine["unexplained"]) == ("resnet20", 0)
    assert "no model named 'resnet35'" in refused["failure"]
    assert shown.err == "resflops: could not trace resnet35\n"


def test_bench_measures_the_others(capsys):
    shown = run(capsys, 1, "bench", "resnet20", "resnet35", *BRIEF, "--format", "json")
    rows = {row["model"]: row for row in json.loads(shown.out)["latency"]}
    assert rows["resnet20"]["seconds"] > 0
    assert rows["resnet35"]["seconds"] is None
    assert shown.err == "resflops: could not measure resnet35\n"


def test_the_page_has_the_others_and_says_which_are_left_out(capsys, tmp_path):
    page = tmp_path / "page.html"
    shown = run(capsys, 1, "report", "--html", str(page), "resnet20", "resnet35")
    assert page.exists()
    assert shown.err.startswith("resflops: resnet35 is not on the page: no model named 'resnet35'")
    missing = tmp_path / "missing.html"
    assert "no model named 'resnet35'" in run(capsys, 2, "report", "--html", str(missing), "resnet35").err
    assert not missing.exists()
