"""Whole tables in every format, compared with stored text.

The stored files are what these commands write, for each ending that a format has::

    resflops table --models resnet34 vgg19 --out tests/render/stored/paper.md
    resflops layers resnet20 --out tests/render/stored/resnet20.md
"""

import csv
import json
import re
from functools import cache
from pathlib import Path

import pytest

from resflops.cost.convention import CONVENTIONS
from resflops.render import RENDERERS, find_format, find_renderer
from resflops.sources import find
from resflops.sources.counting import count_model
from resflops.tables import Table
from resflops.tables.breakdown import build_breakdown
from resflops.tables.comparison import Entry, build_comparison, build_entry

STORED = Path(__file__).parent / "stored"
FILES = sorted(STORED.iterdir())


@cache
def counted(spec: str) -> Entry:
    found = find(spec)
    return build_entry(
        found, count_model(found, input_shape=(1, *found.input_shape), convention=CONVENTIONS["macs"])
    )


def table(name: str) -> Table:
    if name == "paper":
        return build_comparison([counted("resnet34"), counted("vgg19")])
    return build_breakdown(counted(name).cost)


def test_every_format_is_stored_with_both_tables() -> None:
    formats = sorted((file.stem, find_format(file.name)) for file in FILES)
    assert formats == sorted((name, each) for name in ("paper", "resnet20") for each in RENDERERS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_table_is_written_as_stored(file: Path) -> None:
    name = find_format(file.name)
    assert name is not None
    assert find_renderer(name).render(table(file.stem)) == file.read_text(encoding="utf-8")


def test_the_stored_totals_are_the_sums_of_their_rows() -> None:
    stored = json.loads((STORED / "resnet20.json").read_text(encoding="utf-8"))
    for key in ("params", "macs", "total"):
        for rows in (stored["rows"], stored["stages"]):
            assert sum(row[key] for row in rows) == stored["total"][key]
    assert stored["total"]["macs"] == 40_551_040
    assert stored["total"]["params"] == 269_722


@pytest.mark.parametrize("ending", ["md", "txt"])
def test_the_rows_for_people_add_up_to_the_total_that_they_read(ending: str) -> None:
    text = (STORED / f"resnet20.{ending}").read_text(encoding="utf-8")
    formulas = re.findall(r" = ([\d,]+)", text)
    assert sum(int(value.replace(",", "")) for value in formulas) == 40_551_040
    assert "40,551,040" in text


def test_the_printed_rows_add_up_to_the_total() -> None:
    text = (STORED / "resnet20.tex").read_text(encoding="utf-8")
    for part in text.split(r"\begin{table}"):
        *rows, total = re.findall(r"([\d,]+) & ([\d,]+) \\\\\n", part)
        assert [sum(int(row[place].replace(",", "")) for row in rows) for place in (0, 1)] == [
            269_722,
            40_551_040,
        ]
        assert total == ("269,722", "40,551,040")


def test_json_and_csv_hold_the_same_numbers() -> None:
    rows = json.loads((STORED / "paper.json").read_text(encoding="utf-8"))["rows"]
    with (STORED / "paper.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for row, line in zip(rows, lines, strict=True):
        assert [line[key] for key in ("model", "input")] == [row[key] for key in ("model", "input")]
        assert [int(line[key]) for key in ("params", "macs", "total")] == [
            row[key] for key in ("params", "macs", "total")
        ]
        assert float(line["ratio"]) == row["ratio"]


def test_the_json_of_a_comparison_has_the_promised_keys() -> None:
    stored = json.loads((STORED / "paper.json").read_text(encoding="utf-8"))
    assert stored["schema_version"] == 1
    assert stored["convention"] == "macs"
    resnet, vgg = stored["rows"]
    assert (resnet["macs"], vgg["macs"]) == (3_663_761_408, 19_632_062_464)
    assert (resnet["params"], vgg["params"]) == (21_797_672, 143_667_240)
    assert resnet["input"] == "1x3x224x224"
    assert {"total", "trainable", "frozen", "buffers", "ratio", "complete", "uncounted", "variant"} <= set(
        resnet
    )
    assert {"printed", "source", "reference", "agreement"} <= set(resnet["published"][0])
