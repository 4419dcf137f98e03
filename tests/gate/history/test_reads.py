"""A figure serves at another commit if all that it was made from is the same there, and only then."""

import pytest

from resflops.gate.history.file_tree import Entry, FileTree, FolderReader
from resflops.gate.history.reads import Recorded, is_current, matches, resolve_reads

FILES = {
    "nets.py": "100644 a",
    "lib/__init__.py": "100644 b",
    "lib/blocks.py": "100644 c",
    "data/sizes.json": "100644 d",
    "weights.pt": "100644 e",
    "README.md": "100644 f",
}


def make_tree(digest, files):
    """Make the files of a commit without a repository; a folder goes by its path, and the top by the digest."""
    folders = {digest: {}}
    for path, state in files.items():
        *parents, name = path.split("/")
        place = digest
        for part in parents:
            folders[place][part] = Entry("40000", f"{place}/{part}")
            place = f"{place}/{part}"
            folders.setdefault(place, {})
        folders[place][name] = Entry(*state.split())
    return FileTree(digest, FolderReader(folders.__getitem__))


RECORDED = Recorded(
    files=("nets.py", "lib/blocks.py", "data/sizes.json", "local.json"),
    folders=("data",),
    modules=((".", "nets"), (".", "numpy"), ("lib", "blocks")),
)
READS = resolve_reads(RECORDED, make_tree("then", FILES))


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
    assert matches(READS, make_tree("now", files)) == serves


def test_what_cannot_be_seen_makes_a_figure_that_of_its_files_alone() -> None:
    reads = resolve_reads(Recorded(unknown="it runs another program"), make_tree("then", FILES))
    assert matches(reads, make_tree("then", FILES))
    assert not matches(reads, make_tree("now", FILES))


def test_a_file_elsewhere_must_be_as_it_was(tmp_path) -> None:
    path = tmp_path / "sizes.json"
    path.write_text("[1]", encoding="utf-8")
    reads = resolve_reads(Recorded(outside=(str(path),)), make_tree("then", FILES))
    assert is_current(reads)
    path.write_text("[1, 2]", encoding="utf-8")
    assert not is_current(reads)
