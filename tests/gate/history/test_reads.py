"""A figure serves at another commit if all that it was made from is the same there, and only then."""

import pytest

from resflops.gate.history.file_tree import FileTree
from resflops.gate.history.reads import Recorded, is_current, matches, resolve_reads

FILES = {
    "nets.py": "100644 a",
    "lib/__init__.py": "100644 b",
    "lib/blocks.py": "100644 c",
    "data/sizes.json": "100644 d",
    "weights.pt": "100644 e",
    "README.md": "100644 f",
}
RECORDED = Recorded(
    files=("nets.py", "lib/blocks.py", "data/sizes.json", "local.json"),
    folders=("data",),
    modules=((".", "nets"), (".", "numpy"), ("lib", "blocks")),
)
READS = resolve_reads(RECORDED, FileTree("then", FILES))


@pytest.mark.parametrize(
    ("change", "serves"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"README.md": "100644 g"}, True, id="a file that it has not read"),
        pytest.param({"lib/other.py": "100644 g"}, True, id="a module that it has not looked for"),
        pytest.param({"lib/__init__.py": ""}, True, id="a file of a folder that it has not listed"),
        pytest.param({"lib/blocks.py": "100644 g"}, False, id="a module"),
        pytest.param({"lib/blocks.py": "120000 c"}, False, id="a link in place of a module"),
        pytest.param({"lib/blocks.py": ""}, False, id="a module that is gone"),
        pytest.param({"data/sizes.json": "100644 g"}, False, id="data"),
        pytest.param({"data/more.json": "100644 g"}, False, id="another file in a folder that it listed"),
        pytest.param({"local.json": "100644 g"}, False, id="a file that it looked for"),
        pytest.param({"local.json/part": "100644 g"}, False, id="a folder in place of that file"),
        pytest.param({"numpy.py": "100644 g"}, False, id="a module in front of an installed one"),
        pytest.param({"numpy/part.py": "100644 g"}, False, id="a package in front of an installed one"),
        pytest.param({"nets/__init__.py": "100644 g"}, False, id="a package in front of a module"),
        pytest.param({"weights.pt": "100644 g"}, False, id="what libraries read unseen"),
        pytest.param({"lib/.gitattributes": "100644 g"}, False, id="what git makes of files"),
    ],
)
def test_a_change_decides_whether_a_figure_serves(change, serves) -> None:
    files = {path: state for path, state in {**FILES, **change}.items() if state}
    assert matches(READS, FileTree("now", files)) == serves


def test_what_cannot_be_seen_makes_a_figure_that_of_its_files_alone() -> None:
    reads = resolve_reads(Recorded(unknown="it runs another program"), FileTree("then", FILES))
    assert matches(reads, FileTree("then", FILES))
    assert not matches(reads, FileTree("now", FILES))


def test_a_file_elsewhere_must_be_as_it_was(tmp_path) -> None:
    path = tmp_path / "sizes.json"
    path.write_text("[1]", encoding="utf-8")
    reads = resolve_reads(Recorded(outside=(str(path),)), FileTree("then", FILES))
    assert is_current(reads)
    path.write_text("[1, 2]", encoding="utf-8")
    assert not is_current(reads)
