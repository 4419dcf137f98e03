"""The lock file: what every model cost when someone last agreed to it.

It is TOML, one line a layer, so that a git diff shows which layers changed. Every model has
a digest of its own: an edit by hand is noticed, and two branches that change different
models merge without a conflict.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from resflops.errors import FileError, SchemaError
from resflops.gate.bill import METRICS, Bill
from resflops.gate.paths import shown
from resflops.gate.written import WrittenModel, digest_of, model_text, quoted, unwritten
from resflops.storage import write_text

__all__ = ["LOCK_VERSION", "Lock", "holds", "is_lock", "lock_text", "read_lock", "renewed", "write_lock"]

LOCK_VERSION = 1

HEADING = (
    "# What the models cost, layer by layer. Do not edit: `resflops lock`, or for models of tests\n"
    "# `pytest --resflops-lock`, writes it anew.\n"
)

ANEW = "restore it from git, or delete it and lock anew"


class Lock(Struct, frozen=True, kw_only=True):
    """What a lock file holds."""

    bills: Mapping[str, Bill]
    """By the model's name."""
    made_by: str = ""
    """The versions under which a figure last changed."""


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    schema_version: int
    made_by: str
    models: dict[str, WrittenModel] = {}


class _Header(Struct):
    """What is read first, to say clearly what a file is before reading the rest."""

    schema_version: int | None = None


def lock_text(lock: Lock) -> str:
    """The file's text: the same for the same bills, in whatever order they come."""
    models = (model_text(lock.bills[name]) for name in sorted(lock.bills))
    head = f"{HEADING}schema_version = {LOCK_VERSION}\nmade_by = {quoted(lock.made_by)}\n"
    return "\n".join([head, *models])


def renewed(bills: Iterable[Bill], *, old: Lock | None, made_by: str) -> Lock:
    """A lock of these bills. What made it stays as it was where no figure changed.

    So neither a newer torch nor a newer resflops changes the file as long as they agree.
    """
    named = {bill.model: bill for bill in bills}
    return Lock(bills=named, made_by=old.made_by if old and old.bills == named else made_by)


def write_lock(path: str | os.PathLike[str], lock: Lock) -> bool:
    """Write a lock, whole or not at all; tells whether the file is another one now.

    Raises:
        FileError: it cannot be written.
    """
    if holds(path, lock):
        return False
    write_text(path, lock_text(lock))
    return True


def holds(path: str | os.PathLike[str], lock: Lock) -> bool:
    """Whether a file is what would be written, but for the line endings that git may have given it."""
    file = Path(path)
    return file.is_file() and file.read_bytes().replace(b"\r\n", b"\n") == lock_text(lock).encode()


def is_lock(path: str | os.PathLike[str]) -> bool:
    """Whether a file was a lock file once, be it sound or damaged: its head says so.

    Raises:
        FileError: it cannot be read.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"could not read {shown(path)}: {error.strerror}") from error
    return b"schema_version = " in data or HEADING.encode().split(b"\n")[0] in data


def read_lock(path: str | os.PathLike[str]) -> Lock:
    """Read what ``write_lock`` wrote.

    Raises:
        FileError: there is no such file, or it cannot be read.
        SchemaError: it is cut off, edited by hand, in the middle of a merge, of a newer
            version, or no lock at all.
    """
    name = shown(path)
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileError(
            f"there is no lock file {name}; lock the models with `resflops lock` and commit it"
        ) from None
    except OSError as error:
        raise FileError(f"could not read {name}: {error.strerror}") from error
    document = _parsed(name, data)
    _check_version(name, document)
    try:
        file = msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        raise SchemaError(f"{name} is damaged or was edited by hand: {error}; {ANEW}") from error
    return Lock(
        bills={model: _bill(name, model, stored) for model, stored in file.models.items()},
        made_by=file.made_by,
    )


def _parsed(name: str, data: bytes) -> dict[str, Any]:
    try:
        text = data.decode()
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise SchemaError(f"{name} is no text file: {error}; {ANEW}") from error
    except tomllib.TOMLDecodeError as error:
        marker = re.search(r"^(<{7}|={7}|>{7})( |\r?$)", text, re.MULTILINE)
        if marker:
            line = text.count("\n", 0, marker.start()) + 1
            raise SchemaError(
                f"{name} is in the middle of a merge ({marker[1]} in line {line}); take either side, as in "
                f"`git checkout --ours {name}`, then lock anew"
            ) from None
        raise SchemaError(f"{name} is cut off or was edited by hand: {error}; {ANEW}") from error


def _check_version(name: str, document: dict[str, Any]) -> None:
    try:
        version = msgspec.convert(document, _Header).schema_version
    except msgspec.ValidationError as error:
        raise SchemaError(f"{name} is damaged or was edited by hand: {error}; {ANEW}") from error
    if version is None:
        raise SchemaError(f"{name} is no lock file: it has no schema_version; {ANEW}")
    if version != LOCK_VERSION:
        newer = "upgrade resflops" if version > LOCK_VERSION else ANEW
        raise SchemaError(
            f"{name} is a lock file of schema version {version}, and this resflops reads {LOCK_VERSION}; "
            f"{newer}"
        )


def _bill(name: str, model: str, stored: WrittenModel) -> Bill:
    try:
        bill = unwritten(model, stored)
    except ValueError as error:
        raise SchemaError(f"{name} was edited by hand: {model}: {error}; {ANEW}") from error
    for metric in METRICS:
        written, added = getattr(stored, metric), bill.metric(metric)
        if written != added:
            raise SchemaError(
                f"{name} was edited by hand or merged badly: {model} has {metric} = {written:,}, and its "
                f"layers add up to {added:,}; {ANEW}"
            )
    if stored.digest != digest_of(bill):
        raise SchemaError(
            f"{name} was edited by hand or merged badly: {model} does not match its digest; {ANEW}"
        )
    return bill
