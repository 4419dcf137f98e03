"""Writing values to JSON files, each whole or not at all, and reading them back."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import msgspec

from resflops.errors import FileError, SchemaError, describe_error
from resflops.extensions import find_display
from resflops.storage.writing import read_bytes, write_text

__all__ = [
    "SCHEMA_VERSION",
    "Stored",
    "blame_file",
    "read_kind",
]

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError)
"""What decoding raises: for a file that is not JSON, or whose numbers or nesting are beyond Python."""

SCHEMA_VERSION = 1
"""The version of the JSON that traces and costs are written in."""


class _StoredHeader(msgspec.Struct):
    """The first thing that is read, so that an error can say what kind of file it is."""

    schema_version: int = 0
    kind: str = ""


def read_kind(path: str | os.PathLike[str]) -> str:
    """Read what kind of value a file holds, such as ``trace``; ``""`` if it is not a JSON file of resflops.

    Raises:
        FileError: the file cannot be read.
    """
    try:
        return msgspec.json.decode(_read_file(path), type=_StoredHeader).kind
    except UNREADABLE:
        return ""


def _read_file(path: str | os.PathLike[str]) -> bytes:
    try:
        return read_bytes(path)
    except FileNotFoundError as error:
        raise FileError(f"could not read {os.fspath(path)}: {error.strerror}") from error


# dict=True gives an instance a __dict__, where the cached properties of subclasses keep their values.
class Stored(msgspec.Struct, frozen=True, kw_only=True, dict=True, tag_field="kind"):
    """A value that goes to a JSON file and back unchanged; a subclass names its kind as its ``tag``.

    What the types of its fields do not say about a file, ``check`` does.
    """

    schema_version: int = SCHEMA_VERSION

    def _repr_html_(self) -> str:
        html: str = find_display("html")(self)
        return html

    # msgspec gives every struct one, which would show all that is stored.
    __rich_repr__ = None  # type: ignore[assignment]

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
        data = _read_file(path)
        # The header first: a file of another kind or version would fail on some field, which says little.
        try:
            header = msgspec.json.decode(data, type=_StoredHeader)
        except UNREADABLE as error:
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
            _check_numbers(data)
            value = msgspec.json.decode(data, type=cls)
            value.check()
        except UNREADABLE as error:
            raise SchemaError(f"{name} is a damaged {kind} file: {error}; create it again") from error
        # Not a field: a value that was read equals the one that was saved.
        for each in (value, *(getattr(value, field) for field in value.__struct_fields__)):
            if isinstance(each, Stored):
                vars(each)["_file"] = name
        return value

    def check(self) -> None:
        """Check what the types of the fields do not say: whether numbers and places fit each other.

        Raises:
            ValueError: they do not; the message says where.
        """


LONGEST_NUMBER = 60
"""The most digits of a whole number in a file: beyond any count, and within what a float can hold."""


def _check_numbers(data: bytes) -> None:
    """Check that no whole number is beyond any count; Python would not even write the longest ones.

    Raises:
        ValueError: one is.
    """
    # Nearly every file ends the search here, at the speed of C; a long name of digits is no number.
    if re.search(rb"[0-9]{%d}" % (LONGEST_NUMBER + 1), data):
        import json

        json.loads(data, parse_int=_check_number)


def _check_number(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"the number {text[:10]}… has {len(text)} digits, more than any count has")
    return int(text)


MISFITS = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError)
"""What working with values raises that do not fit each other."""


@contextmanager
def blame_file(*values: object) -> Iterator[None]:
    """Blame what goes wrong inside on the files that values were read from; with none of them it is a defect.

    Raises:
        SchemaError: something went wrong, and a value is from a file.
    """
    try:
        yield
    except MISFITS as error:
        files = [vars(value)["_file"] for value in values if "_file" in getattr(value, "__dict__", {})]
        if not files:
            raise
        raise SchemaError(
            f"{' or '.join(files)} is damaged: {_find_place(error)}its values contradict each other "
            f"({describe_error(error)}); create it again"
        ) from error


def _find_place(error: BaseException) -> str:
    """Find out which op's record was worked on: the one that the code which failed calls ``record``."""
    from traceback import walk_tb

    place = ""
    for frame, _ in walk_tb(error.__traceback__):
        record: Any = frame.f_locals.get("record")
        if hasattr(record, "op") and hasattr(record, "layer"):
            place = f"op {record.op!r} of layer {record.layer!r}: "
    return place
