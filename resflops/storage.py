"""Writing values to JSON files, each whole or not at all, and reading them back."""

import os
import tempfile
from pathlib import Path
from typing import Self

import msgspec

from resflops.errors import FileError, SchemaError

__all__ = ["SCHEMA_VERSION", "Stored", "check_writable", "read_kind", "write_bytes", "write_text"]

SCHEMA_VERSION = 1
"""The version of the JSON that traces and costs are written in."""


class _StoredHeader(msgspec.Struct):
    """The first thing that is read, so that an error can say what kind of file it is."""

    schema_version: int = 0
    kind: str = ""


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in one step; see ``write_bytes``.

    Raises:
        FileError: the folder is missing or not writable, or the disk is full.
    """
    write_bytes(path, text.encode())


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file in one step: a reader sees the old file or the new one, never half.

    Raises:
        FileError: the folder is missing or not writable, or the disk is full.
    """
    target = Path(path)
    check_writable(target)
    try:
        # mkstemp makes a file that only its owner can read; it gets the mode that open() would give it.
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_read_umask()
        # In the same folder, since only a rename within one file system happens in one step.
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).chmod(mode)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileError(f"could not write {os.fspath(path)}: {error.strerror}") from error


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check before long work that its result can be written.

    Raises:
        FileError: the path is a folder, or its folder is missing or not writable.
    """
    target = Path(path)
    if target.is_dir():
        raise FileError(f"cannot write {os.fspath(path)}: it is a folder; give a file name in it")
    if target.exists() and not target.is_file():
        # A file is put in place by a rename, which would remove a device such as /dev/null for everyone.
        raise FileError(f"cannot write {os.fspath(path)}: it is a device or a pipe; give the name of a file")
    if not target.parent.is_dir():
        raise FileError(
            f"cannot write {os.fspath(path)}: there is no folder {target.parent}; create it first"
        )
    if not os.access(target.parent, os.W_OK) or (target.exists() and not os.access(target, os.W_OK)):
        raise FileError(f"cannot write {os.fspath(path)}: permission denied; choose another place")


def read_kind(path: str | os.PathLike[str]) -> str:
    """Read what kind of value a file holds, such as ``trace``; ``""`` if it is not a JSON file of resflops.

    Raises:
        FileError: the file cannot be read.
    """
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=_StoredHeader).kind
    except OSError as error:
        raise FileError(f"could not read {os.fspath(path)}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


# dict=True gives an instance a __dict__, where the cached properties of subclasses keep their values.
class Stored(msgspec.Struct, frozen=True, kw_only=True, dict=True, tag_field="kind"):
    """A value that goes to a JSON file and back unchanged; a subclass names its kind as its ``tag``."""

    schema_version: int = SCHEMA_VERSION

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON, in one step.

        Raises:
            FileError: the file cannot be written.
        """
        write_text(path, msgspec.json.format(msgspec.json.encode(self), indent=1).decode() + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what ``save`` wrote.

        Raises:
            FileError: there is no such file, or it cannot be read.
            SchemaError: the file is not JSON, holds another kind of value, or has an unknown version.
        """
        name, kind = os.fspath(path), cls.__struct_config__.tag
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise FileError(f"could not read {name}: {error.strerror}") from error
        # The header first: a file of another kind or version would fail on some field, which says little.
        try:
            header = msgspec.json.decode(data, type=_StoredHeader)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SchemaError(f"{name} is not a {kind} file of resflops: {error}") from error
        if header.kind != kind:
            held = f"a {header.kind} file" if header.kind else "something else"
            raise SchemaError(f"{name} is not a {kind} file of resflops: it is {held}")
        if header.schema_version != SCHEMA_VERSION:
            raise SchemaError(
                f"{name} is a {kind} file of schema version {header.schema_version}; "
                f"this resflops reads version {SCHEMA_VERSION}: "
                "read the file with the resflops that wrote it, or create it again"
            )
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise SchemaError(f"{name} is a damaged {kind} file: {error}; create it again") from error


def _read_umask() -> int:
    # The only way to read the umask is to set it, so it is set back at once.
    mask = os.umask(0)
    os.umask(mask)
    return mask
