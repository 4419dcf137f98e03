"""Writing files, each whole or not at all, by one process at a time, and reading them with limits."""

import contextlib
import os
import re
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType

from resflops.errors import FileError

__all__ = [
    "check_writable",
    "hold_folder",
    "is_file",
    "name_temporary",
    "read_bytes",
    "remove_abandoned",
    "replace_file",
    "write_bytes",
    "write_text",
]

LARGEST = 1 << 30
"""The most bytes of a file that are read, unless the reader says otherwise."""


def read_bytes(path: str | os.PathLike[str], *, most: int = LARGEST) -> bytes:
    """Read a file whole.

    Args:
        path: the file.
        most: the most bytes that it may have.

    Raises:
        FileNotFoundError: there is no such file; whoever reads it knows best what to do then.
        FileError: it cannot be read, is a device or a pipe, which may have no end, or is too large.
    """
    name = os.fspath(path)
    try:
        # Without waiting: to open a pipe would wait for someone who writes to it.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileError(f"could not read {name}: it is not a regular file; give the name of a file")
            data = file.read(most + 1)
    except FileNotFoundError:
        raise
    # ValueError: a name with a null byte in it.
    except (OSError, ValueError) as error:
        raise FileError(f"could not read {name}: {_explain(error)}") from error
    if len(data) > most:
        raise FileError(
            f"could not read {name}: it is larger than {most:,} bytes, the most that such a file can have"
        )
    return data


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in one step; see ``write_bytes``.

    Raises:
        FileError: the folder is missing or not writable, or the disk is full.
    """
    # A name may have a half of a surrogate pair, for which UTF-8 has no bytes; JSON reads the escape as it.
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_bytes(path: str | os.PathLike[str], content: bytes, *, mode: int | None = None) -> None:
    """Write a file in one step: a reader sees the old file or the new one, never half.

    A link stays a link, and the file that it leads to is written.

    Args:
        path: the file.
        content: what to write.
        mode: who may read and write it; by default a file that was there keeps its mode, and a new one gets
            the usual one.

    Raises:
        FileError: the folder is missing or not writable, or the disk is full.
    """
    with _blame(path), _postpone_termination(), _put_in_place(path, mode) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def replace_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file that takes long, in one step: give one beside it, which takes its place at the end.

    If what is done inside raises, the file stays as it was.

    Raises:
        FileError: the folder is missing or not writable, or the disk is full.
    """
    with _blame(path), _put_in_place(path, None) as temporary:
        yield temporary


@contextlib.contextmanager
def _blame(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise FileError(f"could not write {os.fspath(path)}: {_explain(error)}") from error


@contextlib.contextmanager
def _put_in_place(path: str | os.PathLike[str], mode: int | None) -> Iterator[Path]:
    # Here, as elsewhere in this module: reading a file, which every command does, needs none of it.
    import tempfile

    check_writable(path)
    target = Path(path).resolve()
    # mkstemp makes a file that only its owner can read; it gets the mode that open() would give it.
    if mode is None:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_read_umask()
    # Cut, since the name of a file may be as long as the system allows, and this one is longer.
    prefix = f".{target.name[:40]}."
    remove_abandoned(target.parent, prefix)
    # In the same folder, since only a rename within one file system happens in one step.
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=name_temporary(prefix), suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check before long work that its result can be written.

    Raises:
        FileError: the path is a folder, or its folder is missing or not writable.
    """
    name = os.fspath(path)
    try:
        # What a link leads to is written, also where it is not there yet.
        target = Path(path).resolve()
        # The system itself says what is wrong with the folder, and with the name; there need be no such file.
        target.parent.stat()
        with contextlib.suppress(FileNotFoundError):
            target.lstat()
        can_write = os.access(target.parent, os.W_OK) and (not target.exists() or os.access(target, os.W_OK))
    except (FileNotFoundError, NotADirectoryError):
        folder = Path(path).resolve().parent if Path(path).is_symlink() else Path(path).parent
        raise FileError(f"cannot write {name}: there is no folder {folder}; create it first") from None
    # RuntimeError: before Python 3.13, links that lead to each other. ValueError: a null byte in the name.
    except (OSError, RuntimeError, ValueError) as error:
        raise FileError(f"cannot write {name}: {_explain(error)}; choose another name") from error
    if target.is_symlink():
        raise FileError(f"cannot write {name}: its symbolic links form a loop; choose another name")
    if target.is_dir():
        raise FileError(f"cannot write {name}: it is a folder; give a file name in it")
    if target.exists() and not target.is_file():
        # A file is put in place by a rename, which would remove a device such as /dev/null for everyone.
        raise FileError(f"cannot write {name}: it is a device or a pipe; give the name of a file")
    if not can_write:
        raise FileError(f"cannot write {name}: permission denied; choose another place")


@contextlib.contextmanager
def hold_folder(path: str | os.PathLike[str]) -> Iterator[None]:
    """Keep other processes from changing a file, from its reading until it is written again.

    Args:
        path: the file, which need not exist. Whoever holds another file of its folder is waited for, too.

    Raises:
        FileError: the folder cannot be opened.
    """
    folder = Path(path).resolve().parent
    with contextlib.ExitStack() as held:
        if not _lock_folder(folder, held):
            # Where a folder cannot be locked, as on Windows and on some network file systems, a file outside
            # stands for it: filelock leaves it behind, and in the project it would be in the way.
            import tempfile
            from hashlib import sha256

            import filelock

            digest = sha256(os.fsencode(folder)).hexdigest()[:16]
            held.enter_context(filelock.FileLock(Path(tempfile.gettempdir()) / f"resflops-{digest}.guard"))
        yield


def _lock_folder(folder: Path, held: contextlib.ExitStack) -> bool:
    """Lock a folder itself, which leaves nothing behind; False where that is not possible."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise FileError(f"could not read {folder}: {_explain(error)}") from error
    held.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def name_temporary(prefix: str) -> str:
    """Name something temporary so that ``remove_abandoned`` can tell whether its process still runs."""
    return f"{prefix}{_name_host()}-{os.getpid()}-"


def remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove the temporary files and folders of processes that were killed."""
    import shutil

    pattern = re.compile(rf"{re.escape(prefix)}{_name_host()}-(\d{{1,9}})-.*")
    with os.scandir(folder) as entries:
        left = [
            entry
            for entry in entries
            if (match := pattern.fullmatch(entry.name)) and not _runs(int(match[1]))
        ]
    for entry in left:
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink()


@cache
def _name_host() -> str:
    """Name this machine: of another one that shares the folder nobody here can tell which processes run."""
    import platform
    import zlib

    return f"{zlib.crc32(platform.node().encode(errors='replace')):08x}"


def _runs(process: int) -> bool:
    # On Windows a signal 0 is Ctrl-C; there a file that is open cannot be removed anyway.
    if sys.platform == "win32":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


class _TerminatedError(BaseException):
    """SIGTERM came while a file was written."""


@contextlib.contextmanager
def _postpone_termination() -> Iterator[None]:
    """Let SIGTERM end the process only when what is inside has cleaned up."""

    def terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what handlers take
        raise _TerminatedError

    # Only the main thread may set a handler, and one that somebody else has set knows what to do.
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except _TerminatedError:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _explain(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _read_umask() -> int:
    # The only way to read the umask is to set it, so it is set back at once.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def is_file(name: str) -> bool:
    """Tell whether a text is the name of a file; one that no file can have, as a very long one, is not."""
    # Path.is_file raises for some of those before Python 3.14.
    return os.path.isfile(name)  # noqa: PTH113
