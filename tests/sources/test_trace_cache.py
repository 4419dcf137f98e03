"""The user's cache: an entry that is not sound, or not this user's alone, is as if there were none."""

import hashlib
import os
import socket
import stat
import subprocess
import sys
import time
import zlib
from pathlib import Path

import msgspec
import pytest

from resflops.sources import trace_cache
from resflops.sources.trace_cache import (
    LONGEST_AGE,
    MAGIC,
    Entry,
    clear_cache,
    find_cache_folder,
    read_entry,
    summarize_cache,
    write_entry,
)

KEY, OTHER = hashlib.sha256(b"one").hexdigest(), hashlib.sha256(b"other").hexdigest()

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and owners")
root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives a file away")


class Figure(Entry, frozen=True, kw_only=True):
    macs: int


class Sentence(Entry, frozen=True, kw_only=True):
    text: str


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RESFLOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(trace_cache, "_writes", 0)
    return tmp_path / "cache" / "traces"


def entry(key: str = KEY, **facts: int) -> Figure:
    return Figure(**{"key": key, "stored_at": int(time.time()), "macs": 640, **facts})


def path_of(folder: Path, key: str = KEY) -> Path:
    return folder / key[:2] / key[2:]


def pack(content: object) -> bytes:
    compressed = zlib.compress(msgspec.msgpack.encode(content))
    return MAGIC + hashlib.sha256(compressed).digest() + compressed


def test_an_entry_comes_back(folder):
    assert read_entry(KEY, Figure) is None
    write_entry(entry())
    assert read_entry(KEY, Figure).macs == 640
    assert read_entry(OTHER, Figure) is None
    write_entry(entry(macs=641))
    assert read_entry(KEY, Figure).macs == 641
    assert list(path_of(folder).parent.iterdir()) == [path_of(folder)]


@posix
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_only_the_user_can_read_and_write_it(folder, mask):
    before = os.umask(mask)
    try:
        write_entry(entry())
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder, path_of(folder).parent)}
    assert modes == {0o700}
    assert stat.S_IMODE(path_of(folder).stat().st_mode) == 0o600


def flip(place: int):
    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)

    return change


SPOILT = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "cut to its head": lambda path: path.write_bytes(path.read_bytes()[: len(MAGIC)]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "poisoned in its first byte": flip(0),
    "poisoned in its digest": flip(len(MAGIC)),
    "poisoned in its content": flip(-1),
    "no entry at all": lambda path: path.write_bytes(b"#!/bin/sh\n"),
    "of another version": lambda path: path.write_bytes(path.read_bytes().replace(b"entry 1", b"entry 0")),
    "of another key": lambda path: path.write_bytes(pack(entry(OTHER))),
    "of another kind": lambda path: path.write_bytes(pack(Sentence(key=KEY, stored_at=1, text="640"))),
    "without what it is about": lambda path: path.write_bytes(
        pack({"key": KEY, "stored_at": int(time.time())})
    ),
    "of another type": lambda path: path.write_bytes(pack(["640"])),
    "too old": lambda path: path.write_bytes(pack(entry(stored_at=int(time.time()) - LONGEST_AGE - 9))),
    "from the future": lambda path: path.write_bytes(pack(entry(stored_at=int(time.time()) + 999))),
    "nested without end": lambda path: path.write_bytes(
        MAGIC + hashlib.sha256(zlib.compress(b"\x91" * 99999)).digest() + zlib.compress(b"\x91" * 99999)
    ),
    "gone": Path.unlink,
}


@pytest.mark.parametrize("way", SPOILT)
def test_a_spoilt_entry_is_a_miss_and_is_written_again(folder, way):
    write_entry(entry())
    SPOILT[way](path_of(folder))
    assert read_entry(KEY, Figure) is None
    write_entry(entry(macs=641))
    assert read_entry(KEY, Figure).macs == 641


def test_an_entry_of_another_model_under_this_name_is_a_miss(folder):
    write_entry(entry())
    write_entry(entry(OTHER, macs=1))
    path_of(folder, OTHER).replace(path_of(folder))
    assert read_entry(KEY, Figure) is None


def test_what_decompresses_to_more_than_any_trace_is_a_miss(folder, monkeypatch):
    monkeypatch.setattr(trace_cache, "LARGEST_CONTENT", 1000)
    write_entry(Sentence(key=KEY, stored_at=int(time.time()), text="0" * 2000))
    assert read_entry(KEY, Sentence) is None


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_a_miss(folder, mode):
    write_entry(entry())
    path_of(folder).chmod(mode)
    assert read_entry(KEY, Figure) is None
    write_entry(entry())
    assert read_entry(KEY, Figure).macs == 640


@posix
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_can_write_is_not_used(folder, mode):
    write_entry(entry())
    folder.chmod(mode)
    assert read_entry(KEY, Figure) is None
    write_entry(entry(OTHER))
    assert not path_of(folder, OTHER).exists()
    assert summarize_cache().problem == "other users can write to it"


@root
def test_what_belongs_to_somebody_else_is_a_miss(folder):
    write_entry(entry())
    os.chown(path_of(folder), 12345, -1)
    assert read_entry(KEY, Figure) is None
    os.chown(path_of(folder), 0, -1)
    assert read_entry(KEY, Figure).macs == 640
    os.chown(folder, 12345, -1)
    assert read_entry(KEY, Figure) is None


@posix
@pytest.mark.parametrize("what", ["link", "pipe", "socket", "folder"])
def test_what_is_no_file_is_a_miss(folder, tmp_path, what):
    write_entry(entry())
    path = path_of(folder)
    path.replace(tmp_path / "elsewhere")
    if what == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        here = Path.cwd()
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(path.name)
        os.chdir(here)
    assert read_entry(KEY, Figure) is None


@posix
def test_a_link_in_the_place_of_the_folder_is_not_followed(folder, tmp_path):
    write_entry(entry())
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert read_entry(KEY, Figure) is None
    assert summarize_cache().problem == "it is not a folder"


def test_a_file_in_the_place_of_the_folder_harms_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("RESFLOPS_CACHE", str(tmp_path / "file"))
    write_entry(entry())
    assert read_entry(KEY, Figure) is None
    assert clear_cache() == 0
    assert summarize_cache().entries == 0


def test_a_full_disk_harms_nothing(folder, monkeypatch):
    write_entry(entry())

    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    write_entry(entry(OTHER))
    assert read_entry(OTHER, Figure) is None
    assert read_entry(KEY, Figure).macs == 640


def test_a_home_that_cannot_be_written_harms_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("RESFLOPS_CACHE", "/proc/nowhere/cache")
    write_entry(entry())
    assert read_entry(KEY, Figure) is None


@pytest.mark.parametrize("given", ["", "0"])
def test_a_variable_turns_it_off(monkeypatch, given):
    monkeypatch.setenv("RESFLOPS_CACHE", given)
    assert find_cache_folder() is None
    write_entry(entry())
    assert read_entry(KEY, Figure) is None
    assert (summarize_cache().folder, clear_cache()) == (None, 0)
    assert summarize_cache().problem == "RESFLOPS_CACHE turns it off"


def test_a_relative_folder_is_one_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESFLOPS_CACHE", "kept")
    assert find_cache_folder() == tmp_path / "kept" / "traces"


def test_without_the_variable_it_lies_where_the_system_keeps_caches(tmp_path, monkeypatch):
    monkeypatch.delenv("RESFLOPS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert find_cache_folder().name == "traces"
    if sys.platform == "linux":
        assert find_cache_folder() == tmp_path / "resflops" / "traces"


@posix
def test_without_a_home_there_is_a_place_or_none(tmp_path):
    script = (
        "import os; from resflops.sources import trace_cache as each\n"
        "os.getuid = lambda: 54321\n"
        "folder = each.find_cache_folder()\n"
        "each.write_entry(each.Entry(key='0' * 64, stored_at=1))\n"
        "print(folder is None or folder.is_absolute(), os.listdir('.'))"
    )
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"HOME", "RESFLOPS_CACHE", "XDG_CACHE_HOME"}
    }
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=True, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "[]"]


def test_the_oldest_go_when_it_is_full(folder, monkeypatch):
    keys = [hashlib.sha256(bytes([number])).hexdigest() for number in range(5)]
    for age, key in enumerate(keys):
        write_entry(entry(key))
        os.utime(path_of(folder, key), (time.time() - 60 * age,) * 2)
    monkeypatch.setattr(trace_cache, "MOST_BYTES", 3 * path_of(folder, keys[0]).stat().st_size + 100)
    monkeypatch.setattr(trace_cache, "_writes", 0)
    write_entry(entry())
    left = [key for key in (KEY, *keys) if read_entry(key, Figure)]
    assert left == [KEY, *keys[:2]]


def test_what_is_too_old_goes_in_time(folder, monkeypatch):
    write_entry(entry(OTHER))
    os.utime(path_of(folder, OTHER), (time.time() - LONGEST_AGE - 9,) * 2)
    monkeypatch.setattr(trace_cache, "_writes", 0)
    write_entry(entry())
    assert not path_of(folder, OTHER).exists()
    assert read_entry(KEY, Figure)


def test_clearing_removes_the_entries_and_nothing_else(folder):
    write_entry(entry())
    write_entry(entry(OTHER))
    notes = [folder / "notes.txt", folder.parent / "own.txt", path_of(folder).parent / "own.txt"]
    for note in notes:
        note.write_text("mine", encoding="utf-8")
    size = sum(path_of(folder, key).stat().st_size for key in (KEY, OTHER))
    assert (summarize_cache().entries, summarize_cache().size) == (2, size)
    assert clear_cache() == 2
    assert summarize_cache().entries == 0
    assert all(note.read_text(encoding="utf-8") == "mine" for note in notes)


def test_two_processes_write_and_read_at_once(folder):
    script = (
        "import sys, time\n"
        "from resflops.sources.trace_cache import Entry, read_entry, write_entry\n"
        f"entry = Entry(key={KEY!r}, stored_at=int(time.time()))\n"
        "for _ in range(200):\n"
        "    write_entry(entry)\n"
        f"    assert read_entry({KEY!r}, Entry) is not None\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [each.wait() for each in running] == [0, 0]
    assert list(path_of(folder).parent.iterdir()) == [path_of(folder)]
