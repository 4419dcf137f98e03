"""The lock file: the same text for the same figures, and one message for whatever is wrong with it."""

import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from resflops.errors import FileError, SchemaError
from resflops.gate.lockfile import (
    Lock,
    format_lock,
    is_lock,
    is_up_to_date,
    read_lock,
    renew_lock,
    write_lock,
)
from resflops.gate.snapshot import Snapshot, SnapshotInput, SnapshotLine

CONV = SnapshotLine(
    layer="stem.conv", op="conv2d", input=(1, 3, 8, 8), output=(1, 4, 8, 8), kernel=(3, 3), padding=(1, 1),
    params=108, macs=6912, total=13824,
)  # fmt: skip
ADD = SnapshotLine(layer="", op="add", calls=2, input=(4,), output=(4,), total=8)
ODD = SnapshotLine(layer='a"b\\c\x7f', op="my.op", input=(2, 2), output=(2, 2), counted=False, groups=2)


def snapshot(name: str = "net", *lines: SnapshotLine) -> Snapshot:
    return Snapshot(
        model=name,
        spec="package.module:net,depths=[2,2]",
        inputs=(SnapshotInput((1, 3, 8, 8), "float32"), SnapshotInput((), "int64")),
        convention="flops",
        lines=lines or (CONV, ADD, ODD),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "resflops.lock"
    write_lock(
        file,
        Lock(snapshots={"net": snapshot(), "other net": snapshot("other net", CONV)}, made_by="resflops 1"),
    )
    return file


def test_what_is_written_is_read_back(path: Path) -> None:
    assert read_lock(path) == Lock(
        snapshots={"net": snapshot(), "other net": snapshot("other net", CONV)}, made_by="resflops 1"
    )


names = some.text(max_size=12)
counts = some.integers(0, 10**25)
shapes = some.lists(some.integers(0, 10**9), max_size=4).map(tuple)
lines = some.builds(
    SnapshotLine, layer=names, op=names, calls=some.integers(0, 9), input=shapes, output=shapes, kernel=shapes,
    stride=shapes, padding=shapes, groups=some.integers(1, 9), params=counts, buffers=counts, macs=counts,
    total=counts, counted=some.booleans(),
)  # fmt: skip


@given(names, some.lists(lines, max_size=4))
def test_any_snapshot_is_read_back(name: str, found: list[SnapshotLine]) -> None:
    import tempfile

    whole = Snapshot(model=name, spec=name, inputs=(), convention="macs", lines=tuple(found))
    with tempfile.TemporaryDirectory() as folder:
        write_lock(Path(folder) / "lock", Lock(snapshots={name: whole}))
        assert read_lock(Path(folder) / "lock").snapshots == {name: whole}


def test_it_is_toml_with_one_line_a_layer(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    models = tomllib.loads(text)["models"]
    assert [layer["layer"] for layer in models["net"]["layers"]] == ["stem.conv", "", 'a"b\\c\x7f']
    assert (
        '\n  { layer = "stem.conv", op = "conv2d", in = "1x3x8x8", out = "1x4x8x8", kernel = "3x3", '
        'padding = "1x1", params = 108, macs = 6_912, total = 13_824 },\n'
    ) in text


def test_the_order_of_the_models_makes_no_difference() -> None:
    one, other = snapshot("a"), snapshot("b", CONV)
    assert format_lock(Lock(snapshots={"a": one, "b": other})) == format_lock(
        Lock(snapshots={"b": other, "a": one})
    )


def test_one_layer_more_is_one_line_more_and_new_sums() -> None:
    before = format_lock(Lock(snapshots={"net": snapshot("net", CONV, ADD)})).splitlines()
    after = format_lock(Lock(snapshots={"net": snapshot("net", CONV, CONV, ADD)})).splitlines()
    new = [line.split(" = ")[0].strip() for line in after if line not in before]
    assert len(after) == len(before) + 1
    assert new == ["macs", "params", "total", "digest"]


def test_another_version_that_finds_the_same_changes_nothing(path: Path) -> None:
    old = read_lock(path)
    stat = path.stat()
    same = renew_lock(old.snapshots.values(), old=old, made_by="resflops 2, torch 9")
    assert not write_lock(path, same)
    assert path.stat().st_mtime_ns == stat.st_mtime_ns
    other = renew_lock([snapshot("net", ADD)], old=old, made_by="resflops 2, torch 9")
    assert other.made_by == "resflops 2, torch 9"


def read_damaged(path: Path, edit) -> str:
    text = path.read_text(encoding="utf-8")
    edited = edit(text)
    assert edited != text
    path.write_bytes(edited.encode())
    with pytest.raises(SchemaError) as error:
        read_lock(path)
    assert path.read_bytes() == edited.encode()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        pytest.param(lambda text: text[: len(text) // 2], "is cut off or was edited manually", id="truncated"),
        pytest.param(lambda text: text[: text.index("]\n\n")], "is cut off or was edited manually", id="in-a-list"),
        pytest.param(lambda _: "", "is not a lock file: it has no schema_version", id="empty"),
        pytest.param(lambda _: "a = 1", "is not a lock file", id="other-toml"),
        pytest.param(lambda text: text.replace("macs = 6_912,", "macs = 6_911,"), "layers add up to 6,911", id="macs"),
        pytest.param(lambda text: text.replace("params = 108\n", "params = 107\n"), "params = 107", id="sum"),
        pytest.param(lambda text: text.replace("stem.conv", "stem.konv"), "does not match its digest", id="name"),
        pytest.param(lambda text: text.replace('kernel = "3x3", ', ""), "does not match its digest", id="left-out"),
        pytest.param(lambda text: text.replace('"1x3x8x8"', '"1xtwo"'), "edited manually: net:", id="no-shape"),
        pytest.param(lambda text: text.replace("kernel =", "kernal ="), "unknown field `kernal`", id="key"),
        pytest.param(lambda text: text.replace("6_912,", '"6912",'), "Expected `int`, got `str`", id="type"),
        pytest.param(
            lambda text: re.sub("schema_version = 1", "schema_version = 3", text),
            "has schema version 3, and this resflops reads versions 1 and 2; upgrade resflops", id="newer",
        ),
        pytest.param(
            lambda text: text.replace("schema_version = 1", 'schema_version = "x"'), "damaged", id="no-version"
        ),
        pytest.param(
            lambda text: text.replace("params = 108\n", "<<<<<<< HEAD\nparams = 1\n=======\nparams = 2\n>>>>>>> b\n", 1),
            "is in the middle of a merge (<<<<<<< in line 11)", id="conflict",
        ),
        pytest.param(
            lambda text: text.replace("params = 108\n", "=======\r\n", 1), "(======= in line 11)", id="half-conflict"
        ),
    ],
)  # fmt: skip
def test_a_damaged_file_is_told_from_a_sound_one_and_left_alone(path: Path, edit, says: str) -> None:
    assert says in read_damaged(path, edit)


def test_a_file_that_is_no_text_is_refused(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SchemaError, match="is not a text file"):
        read_lock(path)


def test_a_missing_file_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(
        FileError, match=r"there is no lock file .*none\.lock; lock the models with `resflops lock`"
    ):
        read_lock(tmp_path / "none.lock")
    with pytest.raises(FileError, match="Is a directory"):
        read_lock(tmp_path)


def test_line_endings_and_comments_are_no_edit(path: Path) -> None:
    before = read_lock(path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert is_up_to_date(path, before)
    path.write_bytes(path.read_bytes() + b"# a comment\r\n")
    assert read_lock(path) == before


WRITER = """
import sys
from msgspec.structs import replace
from resflops.gate.lockfile import Lock, read_lock, write_lock
path, count = sys.argv[1], int(sys.argv[2])
snapshot = read_lock(path).snapshots["net"]
for extra in range(40):
    lines = snapshot.lines[:1] * (count + extra % 2)
    write_lock(path, Lock(snapshots={"net": replace(snapshot, lines=lines)}))
"""


def test_writers_at_once_leave_one_whole_file(path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(path)]
    write_lock(path, Lock(snapshots={"net": snapshot("net", CONV)}))
    writers = [subprocess.Popen([*command, str(count)]) for count in (100, 200)]
    while any(writer.poll() is None for writer in writers):
        assert len(read_lock(path).snapshots["net"].lines) in {1, 100, 101, 200, 201}
    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(read_lock(path).snapshots["net"].lines) in {101, 201}
    assert list(path.parent.iterdir()) == [path]


def test_a_writer_that_is_killed_leaves_the_old_file(path: Path) -> None:
    before = path.read_bytes()
    program = (
        "import os, signal, sys\n"
        "from resflops.gate.lockfile import read_lock, write_lock, Lock\n"
        "from pathlib import Path\n"
        # The last moment before the new file takes the old one's place.
        "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"write_lock({str(path)!r}, Lock(snapshots={{}}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("schema_version = 1\nmodels = [", True),
        ("# damaged\nschema_version = 1\n", True),
        ("[project]\nname = 'mine'\n", False),
        ("", False),
    ],
)
def test_a_lock_file_is_known_by_its_head_even_if_it_is_damaged(text, expected, tmp_path) -> None:
    path = tmp_path / "some.lock"
    path.write_text(text)
    assert is_lock(path) is expected
