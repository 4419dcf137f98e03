"""``resflops report --html``: what it refuses, what it says, and where it writes."""

from pathlib import Path

import pytest

from resflops.cli import main


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("x.txt", "x.html"), ("page", "page.html"), ("a b.svg", "'a b.html'"), (".", "page.html")],
)
def test_a_page_that_no_browser_would_take_for_one_is_refused(capsys, name, wanted):
    assert main(["report", "--html", name, "resnet20"]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"resflops: --html {name}: the page is HTML, and browsers know it by its ending; "
        f"write --html {wanted}\n"
    )
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("name", ["x.html", "X.HTM"])
def test_a_page_is_written(name):
    assert main(["report", "--html", name, "resnet20"]) == 0
    assert "<title>What resnet20 costs</title>" in Path(name).read_text(encoding="utf-8")


def test_a_model_that_is_given_twice_is_shown_once_and_said_so(capsys):
    assert main(["report", "--html", "x.html", "resnet20", "resnet20", "--no-progress"]) == 0
    assert capsys.readouterr().err == "resflops: resnet20 is given more than once; the page shows it once\n"
    assert "<title>What resnet20 costs</title>" in Path("x.html").read_text(encoding="utf-8")


def test_the_page_goes_to_standard_output(capsys):
    assert main(["report", "--html", "-", "resnet20"]) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")
    assert list(Path.cwd().iterdir()) == []


def test_a_page_has_the_title_that_is_given(capsys):
    assert main(["report", "--html", "x.html", "resnet20", "--title", "Our <backbone>"]) == 0
    page = Path("x.html").read_text(encoding="utf-8")
    assert "<title>Our &lt;backbone&gt;</title>" in page
    assert "<h1>Our &lt;backbone&gt;</h1>" in page
    assert main(["report", "--title", "Ours"]) == 2
    assert "--title is for --html FILE MODEL" in capsys.readouterr().err
