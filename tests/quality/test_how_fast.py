"""The README's figures of speed are those that were measured."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))

import how_fast  # noqa: E402

README = (ROOT / "README.md").read_text()


def test_the_table_of_the_readme_is_what_was_measured():
    run = how_fast.read()
    assert how_fast.make_table(run) in README
    assert f"takes {run.means['cpu']:.0f} times as long as resflops" in README
    assert f"and {run.means['meta']:.0f} times with weights on meta" in README


def test_both_pictures_can_be_drawn(tmp_path):
    run = how_fast.read()
    for theme in how_fast.THEMES:
        how_fast.draw(run, theme, tmp_path / f"{theme.name}.svg")
        assert (tmp_path / f"{theme.name}.svg").read_bytes().startswith(b"<?xml")
