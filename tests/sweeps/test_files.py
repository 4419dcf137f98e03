"""The files that rows are written to."""

import json
import sqlite3

import pandas as pd
import pytest

from resflops.errors import FileError, UsageError
from resflops.sweeps.columns import Column
from resflops.sweeps.files import ENDINGS, check_file, write_rows

COLUMNS = (Column("name", "text"), Column("macs", "integer"), Column("complete", "boolean"))
ROWS = [
    {"name": 'a "quoted", name', "macs": 2**62, "complete": True},
    {"name": "失敗\nof two lines", "macs": None},
]
ABOUT = {"resflops": "1.0", "models": ["timm/*"]}


def write(path, rows=ROWS):
    write_rows(path, COLUMNS, iter(rows), ABOUT)
    return path


def test_csv(tmp_path):
    text = write(tmp_path / "a.csv").read_text(encoding="utf-8")
    assert text == (
        'name,macs,complete\n"a ""quoted"", name",4611686018427387904,true\n"失敗\nof two lines",,\n'
    )


def test_json_lines(tmp_path):
    lines = write(tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{**ROWS[0]}, {**ROWS[1], "complete": None}]


def test_parquet_keeps_types_and_what_it_was_made_by(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(write(tmp_path / "a.parquet"))
    assert [str(field.type) for field in table.schema] == ["string", "int64", "bool"]
    assert table.to_pylist() == [{**ROWS[0]}, {**ROWS[1], "complete": None}]
    assert json.loads(table.schema.metadata[b"resflops"]) == ABOUT


def test_sqlite_keeps_what_it_was_made_by(tmp_path):
    with sqlite3.connect(write(tmp_path / "a.sqlite")) as connection:
        assert connection.execute("SELECT * FROM costs").fetchall() == [
            ('a "quoted", name', 2**62, 1),
            ("失敗\nof two lines", None, None),
        ]
        assert dict(connection.execute("SELECT * FROM about")) == {
            "resflops": '"1.0"',
            "models": '["timm/*"]',
        }


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_rows_are_the_same_bytes(tmp_path, ending):
    if ending in (".parquet", ".pq"):
        pytest.importorskip("pyarrow")
    assert write(tmp_path / f"a{ending}").read_bytes() == write(tmp_path / f"b{ending}").read_bytes()


def test_pandas_reads_whole_numbers(tmp_path):
    frame = pd.read_csv(write(tmp_path / "a.csv"), dtype={"macs": "Int64"})
    assert frame.macs[0] == 2**62
    assert frame.macs.isna()[1]


@pytest.mark.parametrize("ending", [".parquet", ".sqlite"])
def test_a_number_that_does_not_fit_is_refused_and_the_file_stays(tmp_path, ending):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    path = write(tmp_path / f"a{ending}")
    before = path.read_bytes()
    with pytest.raises(
        FileError, match=r"macs of big is 9,223,372,036,854,775,808, more than .* \.csv or \.jsonl"
    ):
        write(path, [{"name": "big", "macs": 2**63}])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    write(tmp_path / "b.csv", [{"name": "big", "macs": 2**63}])


@pytest.mark.parametrize("name", ["zoo", "zoo.xlsx"])
def test_another_ending_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match=r"must end in \.csv, .*, as in .*zoo\.csv"):
        check_file(tmp_path / name)
