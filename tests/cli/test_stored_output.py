"""What a command prints from stored traces is what it prints from new ones, but that it says so."""

import json
import re
from pathlib import Path

import pytest

from resflops.cli import main
from resflops.render.registry import list_formats
from resflops.sources.shipped_traces import summarize_archive
from resflops.sources.trace_cache import CacheSummary
from resflops.tables.stored import build_storage_table, note_stored

WHERE = f"from the trace that ships with resflops, made by torch {summarize_archive().torch_version.partition('+')[0]}"

CONFIG = """
[models]
small = "resnet20"
large = "vgg11"
[models.both]
spec = "resnet32"
convention = "flops"
"""

COMMANDS = {
    "table": ["table", "--models", "resnet20", "vgg11"],
    "table of a pattern": ["table", "--models", "vgg*", "--convention", "formula", "--strict"],
    "table of training": ["table", "--models", "resnet20", "--training"],
    "layers": ["layers", "resnet20"],
    "layers by depth": ["layers", "vgg11", "--depth", "1", "--all", "--convention", "fvcore"],
    "layers of training": ["layers", "resnet20", "--training", "--convention", "flops"],
    "diff": ["diff", "resnet20", "resnet32"],
    "diff of one and the same": ["diff", "resnet20", "resnet20"],
    "diff with a lock": ["diff", "resflops.lock", "resflops.lock"],
    "check": ["check"],
    "check of one": ["check", "both", "--all"],
}


@pytest.fixture(autouse=True)
def _project(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("resflops.toml").write_text(CONFIG, encoding="utf-8")
    assert main(["lock"]) == 0
    capsys.readouterr()


def run(capsys, *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def leave_out(text: str, name: str) -> str:
    """Leave out of a text in a format where its traces were stored."""
    if name == "csv":
        return text.replace(f',"{WHERE}"', "").replace(",stored", "")
    if name == "tsv":
        return text.replace(f"\t{WHERE}", "").replace("\tstored", "")
    if name == "json":
        text = text.replace(f', "stored": "{WHERE}"', "").replace(f' "stored": "{WHERE}",\n', "")
        return re.sub(rf',\n  "[^"\n]*{re.escape(WHERE)}\."', "", text)
    return "".join(line for line in text.splitlines(keepends=True) if WHERE not in line)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (command, name)
        for command, arguments in COMMANDS.items()
        for name in list_formats(of_checks=arguments[0] == "check")
    ],
)
def test_every_format_is_the_same_to_the_byte_but_says_where_traces_were_stored(capsys, command, name):
    arguments = COMMANDS[command]
    stored = run(capsys, *arguments, "--format", name)
    live = run(capsys, *arguments, "--format", name, "--fresh")
    assert leave_out(stored, name) == live
    assert WHERE not in live
    assert (WHERE in stored) == (command != "diff with a lock")


def test_json_has_a_field_for_it(capsys):
    table = json.loads(
        run(capsys, "table", "--models", "resnet20", "resnet20,num_classes=7", "--format", "json")
    )
    assert [row["stored"] for row in table["rows"]] == [WHERE, ""]
    assert table["notes"][-1] == f"resnet20: {WHERE}."
    assert json.loads(run(capsys, "layers", "resnet20", "--format", "json"))["stored"] == WHERE
    check = json.loads(run(capsys, "check", "--format", "json"))
    assert {row["stored"] for row in check["rows"]} == {WHERE}
    live = json.loads(run(capsys, "table", "--models", "resnet20", "--format", "json", "--fresh"))
    assert "stored" not in live["rows"][0]


def test_a_page_to_explore_says_it_for_each_model(capsys):
    pages = []
    for options in ([], ["--fresh"]):
        assert main(["report", "--html", "page.html", "resnet20", "vgg11", *options]) == 0
        pages.append(Path("page.html").read_text(encoding="utf-8"))
    assert [page.count(WHERE) for page in pages] == [2, 0]
    assert pages[0].replace(f'"{WHERE}"', "").split("torch")[0] == pages[1].split("torch")[0]


def test_a_lock_is_the_same_from_stored_traces():
    before = Path("resflops.lock").read_bytes()
    Path("resflops.lock").unlink()
    assert main(["lock", "--fresh"]) == 0
    assert Path("resflops.lock").read_bytes() == before
    assert main(["lock", "--check"]) == 0


@pytest.mark.parametrize(
    ("models", "texts"),
    [
        ([("a", "")], []),
        ([("a", "here")], ["{models}: {stored}."]),
        ([("a", "here"), ("b", ""), ("c", "here")], ["{models}: each {stored}."]),
        ([("a", "here"), ("b", "there"), ("a", "here")], ["{models}: {stored}.", "{models}: {stored}."]),
        ([(f"m{n}", "here") for n in range(11)], ["{count} models: each {stored}."]),
    ],
)
def test_models_of_the_same_origin_share_a_note(models, texts):
    assert [note.text for note in note_stored(models)] == texts


def test_the_cache_is_shown_and_cleared(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("RESFLOPS_CACHE", str(tmp_path / "cache"))
    table = json.loads(run(capsys, "cache", "--format", "json"))
    shipped, cached = table["rows"]
    assert (shipped["entries"], shipped["problem"]) == (54, "")
    assert shipped["size"] == Path(shipped["place"]).stat().st_size
    assert cached == {
        "traces": "in the cache", "entries": 0, "size": 0, "place": str(tmp_path / "cache" / "traces"), "problem": "",
    }  # fmt: skip
    folder = tmp_path / "cache" / "traces" / "ab"
    folder.mkdir(parents=True)
    (folder / ("c" * 62)).write_bytes(b"12345")
    assert json.loads(run(capsys, "cache", "--format", "json"))["rows"][1]["size"] == 5
    assert main(["cache", "--clear", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["rows"][1]["entries"] == 0
    assert err == "resflops: removed 1 entry\n"
    assert "at most" in run(capsys, "cache")


def test_a_cache_that_is_not_used_says_why(capsys, monkeypatch):
    monkeypatch.setenv("RESFLOPS_CACHE", "0")
    # Wide enough for the path of any installation: folded away, a column says nothing of what is nowhere.
    monkeypatch.setenv("COLUMNS", "300")
    text = run(capsys, "cache")
    assert "RESFLOPS_CACHE turns it off" in text
    assert "nowhere" in text
    table = build_storage_table(
        shipped=summarize_archive(), cache=CacheSummary(folder=None, problem="no home")
    )
    assert table.rows[1]["problem"] == "no home"
