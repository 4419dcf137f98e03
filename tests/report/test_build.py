"""The reports: what is in the repository, and that what is rebuilt is the same.

That those in the repository match their data is told in ``tests/sources/test_stored_traces.py``, which has
them checked as a command twice.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from resflops.cli import main
from resflops.errors import FileError
from resflops.models.published import load_figures
from resflops.report import build
from resflops.report.build import MANIFEST, Manifest, find_differences, rebuild
from resflops.report.context import Context
from resflops.report.environment import read_versions
from resflops.report.markdown import show
from resflops.report.page import Document, Page
from resflops.report.pages import models
from resflops.report.pages.index import build_index
from resflops.report.picture import Picture
from resflops.report.pictures import profile, ratios

REPORTS = Path(__file__).parents[2] / "reports"


def small(context):
    cost = context.cost("resnet20")
    data = profile.profile_of(cost, unit="MACs", given="1×3×32×32")
    picture = Picture(name="small", data=data, draw=profile.draw, alt="ResNet-20")
    text = f"{cost.macs:,} {show(picture, path='small.md')}\n"
    return (Document(path="small.md", text=text, pictures=(picture,)),)


def measured(context):
    return (Document(path="measured.md", text=context.data("measured-*.json")[0].read_text()),)


FEW = (
    Page(path="small.md", title="Small", summary="a small network", build=small),
    Page(
        path="measured.md",
        title="Measured",
        summary="what was measured",
        data="measured-*.json",
        command="resflops measure",
        build=measured,
    ),
)
"""A page with a picture, and one that needs raw data; the index is the real one."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "PAGES", FEW)
        rebuild(folder)
    return folder


@pytest.fixture
def reports(built, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "PAGES", FEW)
    return shutil.copytree(built, tmp_path / "reports")


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_rebuilding_gives_the_same_bytes(reports, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "deeper"
    rebuild(other)
    assert contents(other) == contents(reports)


def test_what_holds_is_left_alone(reports):
    before = {path: path.stat().st_mtime_ns for path in reports.rglob("*")}
    assert rebuild(reports) == ()
    assert {path: path.stat().st_mtime_ns for path in reports.rglob("*")} == before


def test_another_machines_versions_change_nothing(reports, monkeypatch):
    elsewhere = replace(build.read_versions(), matplotlib="99.0", torch="99.0")
    monkeypatch.setattr(build, "read_versions", lambda: elsewhere)
    assert find_differences(reports) == ()
    assert rebuild(reports) == ()


@pytest.mark.parametrize(
    ("path", "content", "state"),
    [
        ("small.md", b"3.6 billion", "changed"),
        ("README.md", None, "missing"),
        ("pictures/small.svg", b"<svg/>", "damaged"),
        ("pictures/small-dark.svg", None, "missing"),
    ],
)
def test_a_file_that_does_not_match_is_found_and_made_anew(reports, path, content, state):
    before = contents(reports)
    if content is None:
        (reports / path).unlink()
    else:
        (reports / path).write_bytes(content)
    assert [(each.path, each.state) for each in find_differences(reports)] == [(path, state)]
    assert rebuild(reports) == (path, MANIFEST)
    assert contents(reports) == before


def test_a_picture_of_other_data_is_stale(reports):
    manifest = Manifest.load(reports / MANIFEST)
    old = {path: replace(each, drawn_from="other data") for path, each in manifest.pictures.items()}
    replace(manifest, pictures=old).save(reports / MANIFEST)
    assert {each.state for each in find_differences(reports)} == {"stale"}
    rebuild(reports)
    assert Manifest.load(reports / MANIFEST) == manifest


def test_a_page_comes_with_its_data_and_goes_with_them(reports):
    index = (reports / "README.md").read_text(encoding="utf-8")
    assert "Measured (not here yet): what was measured. `resflops measure` makes its raw data" in index
    (reports / "data").mkdir()
    data = reports / "data" / "measured-1.json"
    data.write_text("1 s\n")
    assert {(each.path, each.state) for each in find_differences(reports)} == {
        ("measured.md", "missing"),
        ("README.md", "changed"),
    }
    rebuild(reports)
    assert (reports / "measured.md").read_text() == "1 s\n"
    assert "- [Measured](measured.md): what was measured." in (reports / "README.md").read_text(
        encoding="utf-8"
    )
    data.unlink()
    assert ("measured.md", "left over") in {(each.path, each.state) for each in find_differences(reports)}
    rebuild(reports)
    assert not (reports / "measured.md").exists()
    assert data.parent.is_dir()


def test_a_folder_without_reports_cannot_be_checked(tmp_path):
    with pytest.raises(FileError, match="make them with resflops report"):
        find_differences(tmp_path)


def test_every_published_figure_stands_in_the_reproduction_with_its_verdict():
    text = (REPORTS / "reproduction.md").read_text(encoding="utf-8")
    rows = [line for line in text.partition("## All figures")[2].splitlines() if line.startswith("| ")]
    for figure in load_figures():
        unit = f" {figure.unit.removesuffix('s')}" if figure.unit else ""
        printed = f" {figure.printed}{unit} ".replace("~", r"\~")
        found = [row for row in rows if row.startswith(f"| {figure.model} |") and printed in row]
        assert any(figure.reference in row for row in found), figure
    assert "| **all** | **65** |" in text or len(load_figures()) != 65


def test_the_index_answers_the_question():
    text = (REPORTS / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# How much does ResNet-34 cost, and is it really five times cheaper than VGG-19?")
    assert re.search(r"\*\*Yes, in arithmetic: VGG-19 takes 5\.36× as many\*\*, 19,632,062,464", text)
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (REPORTS / link).exists()


@pytest.mark.parametrize("page", sorted(REPORTS.rglob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere_and_commands_stand_in_every_page(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)|(?:src|srcset)=\"([^\"]+)\"", text):
        target = "".join(link)
        file, _, heading = target.partition("#")
        assert target.startswith("https://") or (page.parent / file).exists(), target
        assert not heading or file or f"\n## {heading.capitalize()}\n" in text, target
    assert "Made by `resflops report`" in text


def test_the_commands_that_pages_name_give_the_figures_in_them(tmp_path):
    text = (REPORTS / "reproduction.md").read_text(encoding="utf-8")
    commands = re.findall(r"`resflops ((?:table|layers) [^`]*)`", text)
    assert len(commands) >= 6
    for command in commands:
        assert main([*command.split(), "--out", str(tmp_path / "table.json")]) == 0
        document = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
        if command.startswith("table"):
            assert [row["model"] for row in document["rows"] if f"{row['macs']:,}" not in text] in (
                [],
                ["keras_resnet50"],
            )


def test_the_command_checks_and_rebuilds(reports, capsys):
    assert main(["report", "--folder", str(reports)]) == 0
    assert "up to date" in capsys.readouterr().err
    assert main(["report", "--folder", str(reports), "--check"]) == 0
    (reports / "README.md").write_text("changed")
    assert main(["report", "--folder", str(reports), "--check"]) == 1
    out, err = capsys.readouterr()
    assert out == f"changed: {reports / 'README.md'}\n"
    assert "1 file does not match" in err
    assert f"resflops report --folder {reports} rebuilds them\n" in err
    assert main(["report", "--folder", str(reports)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(reports / "README.md"), str(reports / MANIFEST)]


def test_a_check_tells_that_a_page_whose_data_are_gone_would_be_removed(reports, capsys):
    (reports / "data").mkdir()
    data = reports / "data" / "measured-1.json"
    data.write_text("1 s\n")
    rebuild(reports)
    data.unlink()
    assert main(["report", "--folder", str(reports), "--check"]) == 1
    out, err = capsys.readouterr()
    assert f"left over: {reports / 'measured.md'}\n" in out
    assert "removes what is left over" in err
    assert (reports / "measured.md").exists()


def test_what_a_pattern_named_and_the_page_lacks_is_told(tmp_path, capsys):
    page = tmp_path / "page.html"
    # Five poolings need an image of 32×32 or larger.
    assert main(["report", "--html", str(page), "resnet20", "vgg1?", "--input", "3x8x8"]) == 0
    err = capsys.readouterr().err
    assert "vgg19 is not on the page: " in err
    assert '"resnet20"' in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resnet34"], "give --html FILE resnet34"),
        (["--html", "page.html"], "no models are given"),
        (["--html", "page.html", "resnet43"], "no model named 'resnet43'"),
        (["--html", "page.html", "resnet34", "--check"], "give only one of them"),
        (["--html", "nowhere/page.html", "resnet34"], "create it first"),
        (["--check", "--convention", "flops"], "are only for --html"),
        (["--check", "--folder", "nowhere"], "there are no reports in nowhere"),
        (["--folder", "pyproject.toml"], "there is a file of that name"),
    ],
)
def test_bad_arguments_are_answered_in_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("")
    assert main(["report", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, said in err, err.count("\n")) == ("", True, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


def test_the_page_is_written_by_the_command(tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["report", "--html", str(page), "resnet20", "--convention", "flops"]) == 0
    text = page.read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])
    assert [model["name"] for model in data["models"]] == ["resnet20"]
    assert re.search(r'<option value="\d" selected>flops</option>', text)
    assert main(["report", "--html", str(page), "resnet20", "--convention", "flops"]) == 0
    assert page.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("stable", "said"),
    [
        ((True, True), None),
        ((True, False), "Under 1 of 2 settings the ratio is known to no better than ±5 %"),
        ((False, False), "Under 2 of 2 settings the ratio is known to no better than ±5 %"),
    ],
)
def test_the_index_says_what_was_measured_and_what_was_not_steady(tmp_path, stable, said):
    settings = tuple(
        ratios.Setting(name="s", batch=1, time=time, low=time - 0.5, high=time + 0.5, stable=each)
        for time, each in zip((2.0, 4.0), stable, strict=True)
    )
    timed = [
        ratios.Ratios(smaller="resnet34", larger="vgg19", device="a device", macs=macs, settings=settings)
        for macs in (19_632_062_464 / 3_663_761_408, 5.0)
    ]
    document = build_index(Context(tmp_path, environment=read_versions()), pages=(), lacking=(), timed=timed)
    assert document.text.count("- a device") == 1, "of the usual input alone"
    assert "VGG-19 takes 2.00× to 4.00× the time of ResNet-34" in document.text
    assert "from 1.50× to 4.50×." in document.text
    assert said in document.text if said else "no better than" not in document.text


def test_a_card_folds_its_layers_up_and_shows_its_stages(tmp_path):
    context = Context(tmp_path, environment=read_versions())
    text = models._build_card("resnet18", context).text
    before, _, folded = text.partition("<details>")
    assert "conv2_x" in before.partition("## Stages and layers")[2]
    assert "layer4.1.conv2" not in before
    assert "layer4.1.conv2" in folded.partition("</details>")[0]
    rows = folded.partition("</details>")[0].count("\n| ") - 3
    assert folded.startswith(f"\n<summary>Layer by layer: {rows} rows, with formulas</summary>\n\n")


def test_pictures_that_are_no_longer_made_are_removed(reports):
    manifest = Manifest.load(reports / MANIFEST)
    old = dict(manifest.pictures)
    old["pictures/small.png"] = next(iter(old.values()))
    (reports / "pictures" / "small.png").write_bytes(b"old")
    replace(manifest, pictures=old).save(reports / MANIFEST)
    assert [(each.path, each.state) for each in find_differences(reports)] == [
        ("pictures/small.png", "left over")
    ]
    rebuild(reports)
    assert not (reports / "pictures" / "small.png").exists()
