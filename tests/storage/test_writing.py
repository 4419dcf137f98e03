"""Files are written whole, through links, with the mode that they had, and what a kill leaves is removed."""

import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from resflops.errors import FileError
from resflops.storage.writing import check_writable, hold_folder, read_bytes, write_bytes, write_text


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o664])
def test_a_file_keeps_its_mode(tmp_path, mode):
    file = tmp_path / "x.lock"
    file.write_text("old")
    file.chmod(mode)
    write_text(file, "new")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", mode)


@pytest.mark.parametrize("target", ["there.md", "not_there.md", "sub/x.md"])
def test_a_link_stays_a_link_and_what_it_leads_to_is_written(tmp_path, target):
    (tmp_path / "sub").mkdir()
    (tmp_path / "there.md").write_text("old")
    link = tmp_path / "link.md"
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert (tmp_path / target).read_text() == "new"


@pytest.mark.parametrize(
    ("name", "says"),
    [("loop", "cannot write"), ("a\0b", "null"), ("x" * 300, "name too long"), ("gone/x", "there is no folder"),
     ("to_gone", "there is no folder"), ("file/x", "there is no folder")],
)  # fmt: skip
def test_what_cannot_be_written_is_said_before(tmp_path, name, says):
    (tmp_path / "loop").symlink_to("loop2")
    (tmp_path / "loop2").symlink_to("loop")
    (tmp_path / "to_gone").symlink_to("gone/x")
    (tmp_path / "file").write_text("")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(FileError) as caught:
        check_writable(f"{tmp_path}/{name}")
    assert says in str(caught.value).lower().replace("file name", "name")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_name_of_the_greatest_length_is_written(tmp_path):
    write_text(tmp_path / ("x" * 255), "text")
    assert [path.name for path in tmp_path.iterdir()] == ["x" * 255]


def test_half_a_surrogate_pair_is_written_as_its_escape(tmp_path):
    write_text(tmp_path / "x.json", '"\udcff"')
    assert (tmp_path / "x.json").read_bytes() == b'"\\udcff"'


WRITE = "import sys; from resflops.storage.writing import write_bytes; print('go', flush=True); write_bytes('out', bytes(100_000_000))"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_what_a_kill_leaves_is_gone_after_the_next_run(tmp_path, number):
    for wait in (0.0, 0.01, 0.03, 0.06):
        with subprocess.Popen([sys.executable, "-c", WRITE], cwd=tmp_path, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(wait)
            process.send_signal(number)
        left = {path.name for path in tmp_path.iterdir()} - {"out"}
        assert number == signal.SIGKILL or not left
    (tmp_path / ".out.kept").write_text("not ours")
    write_bytes(tmp_path / "out", b"x")
    assert {path.name for path in tmp_path.iterdir()} == {"out", ".out.kept"}


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="it is not a regular file"):
        read_bytes(tmp_path / "pipe")


def test_a_file_without_end_is_not_read():
    with pytest.raises(FileError, match="it is not a regular file"):
        read_bytes("/dev/zero")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    (tmp_path / "x").write_bytes(bytes(11))
    with pytest.raises(FileError, match="larger than 10 bytes"):
        read_bytes(tmp_path / "x", most=10)


ADD = """
import sys
from pathlib import Path
from resflops.storage.writing import hold_folder, write_text
for _ in range(20):
    with hold_folder("sum"):
        write_text("sum", str(int(Path("sum").read_text()) + 1))
"""


def test_processes_that_hold_a_file_lose_nothing(tmp_path):
    (tmp_path / "sum").write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", ADD], cwd=tmp_path) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert (tmp_path / "sum").read_text() == "60"
    assert [path.name for path in tmp_path.iterdir()] == ["sum"]


def test_holding_a_folder_that_is_gone_is_refused(tmp_path):
    with pytest.raises(FileError, match="could not read"), hold_folder(tmp_path / "gone" / "x"):
        pass
