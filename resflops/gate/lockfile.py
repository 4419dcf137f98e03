"""The lock file: what every model cost when someone last agreed to it.

It is TOML, one line a layer, so that a git diff shows which layers changed. Every model has
a digest of its own: an edit by hand is noticed, and two branches that change different
models merge without a conflict.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from resflops.errors import FileError, SchemaError
from resflops.gate.paths import shorten_path
from resflops.gate.snapshot import METRICS, Snapshot, SnapshotInput, SnapshotLine
from resflops.records import Shape
from resflops.storage import write_text

__all__ = [
    "LOCK_VERSION",
    "Lock",
    "format_lock",
    "is_lock",
    "is_up_to_date",
    "read_lock",
    "renew_lock",
    "write_lock",
]

LOCK_VERSION = 1

HEADING = (
    "# What the models cost, layer by layer. Do not edit: `resflops lock`, or for models of tests\n"
    "# `pytest --resflops-lock`, writes it anew.\n"
)

REPAIR = "restore it from git, or delete it and lock anew"


class Lock(Struct, frozen=True, kw_only=True):
    """What a lock file holds."""

    snapshots: Mapping[str, Snapshot]
    """By the model's name."""
    made_by: str = ""
    """The versions under which a figure last changed."""


class _Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One layer, as it is written."""

    layer: str
    op: str
    calls: int = 1
    input: str = field(name="in", default="")
    output: str = field(name="out", default="")
    kernel: str = ""
    stride: str = ""
    padding: str = ""
    groups: int = 1
    params: int = 0
    buffers: int = 0
    macs: int = 0
    total: int | None = None
    """Left out where it is the MACs."""
    counted: bool = True


class _Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model, as it is written."""

    spec: str
    inputs: list[str]
    convention: str
    macs: int
    params: int
    buffers: int
    total: int
    digest: str
    layers: list[_Line]


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    schema_version: int
    made_by: str
    models: dict[str, _Model] = {}


class _Header(Struct):
    """What is read first, to say clearly what a file is before reading the rest."""

    schema_version: int | None = None


def format_lock(lock: Lock) -> str:
    """The file's text: the same for the same snapshots, in whatever order they come."""
    models = (_format_model(lock.snapshots[name]) for name in sorted(lock.snapshots))
    head = f"{HEADING}schema_version = {LOCK_VERSION}\nmade_by = {_quote(lock.made_by)}\n"
    return "\n".join([head, *models])


def renew_lock(snapshots: Iterable[Snapshot], *, old: Lock | None, made_by: str) -> Lock:
    """A lock of these snapshots. What made it stays as it was where no figure changed.

    So neither a newer torch nor a newer resflops changes the file as long as they agree.
    """
    named = {snapshot.model: snapshot for snapshot in snapshots}
    return Lock(snapshots=named, made_by=old.made_by if old and old.snapshots == named else made_by)


def write_lock(path: str | os.PathLike[str], lock: Lock) -> bool:
    """Write a lock, whole or not at all; tells whether the file is another one now.

    Raises:
        FileError: it cannot be written.
    """
    if is_up_to_date(path, lock):
        return False
    write_text(path, format_lock(lock))
    return True


def is_up_to_date(path: str | os.PathLike[str], lock: Lock) -> bool:
    """Whether a file is what would be written, but for the line endings that git may have given it."""
    file = Path(path)
    return file.is_file() and file.read_bytes().replace(b"\r\n", b"\n") == format_lock(lock).encode()


def is_lock(path: str | os.PathLike[str]) -> bool:
    """Whether a file was a lock file once, be it sound or damaged: its head says so.

    Raises:
        FileError: it cannot be read.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"could not read {shorten_path(path)}: {error.strerror}") from error
    return b"schema_version = " in data or HEADING.encode().split(b"\n")[0] in data


def read_lock(path: str | os.PathLike[str]) -> Lock:
    """Read what ``write_lock`` wrote.

    Raises:
        FileError: there is no such file, or it cannot be read.
        SchemaError: it is cut off, edited by hand, in the middle of a merge, of a newer
            version, or no lock at all.
    """
    name = shorten_path(path)
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileError(
            f"there is no lock file {name}; lock the models with `resflops lock` and commit it"
        ) from None
    except OSError as error:
        raise FileError(f"could not read {name}: {error.strerror}") from error
    document = _parse_toml(name, data)
    _check_version(name, document)
    try:
        file = msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        raise SchemaError(f"{name} is damaged or was edited by hand: {error}; {REPAIR}") from error
    return Lock(
        snapshots={model: _check_model(name, model, stored) for model, stored in file.models.items()},
        made_by=file.made_by,
    )


def _parse_toml(name: str, data: bytes) -> dict[str, Any]:
    try:
        text = data.decode()
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise SchemaError(f"{name} is no text file: {error}; {REPAIR}") from error
    except tomllib.TOMLDecodeError as error:
        marker = re.search(r"^(<{7}|={7}|>{7})( |\r?$)", text, re.MULTILINE)
        if marker:
            line = text.count("\n", 0, marker.start()) + 1
            raise SchemaError(
                f"{name} is in the middle of a merge ({marker[1]} in line {line}); take either side, as in "
                f"`git checkout --ours {name}`, then lock anew"
            ) from None
        raise SchemaError(f"{name} is cut off or was edited by hand: {error}; {REPAIR}") from error


def _check_version(name: str, document: dict[str, Any]) -> None:
    try:
        version = msgspec.convert(document, _Header).schema_version
    except msgspec.ValidationError as error:
        raise SchemaError(f"{name} is damaged or was edited by hand: {error}; {REPAIR}") from error
    if version is None:
        raise SchemaError(f"{name} is no lock file: it has no schema_version; {REPAIR}")
    if version != LOCK_VERSION:
        newer = "upgrade resflops" if version > LOCK_VERSION else REPAIR
        raise SchemaError(
            f"{name} is a lock file of schema version {version}, and this resflops reads {LOCK_VERSION}; "
            f"{newer}"
        )


def _check_model(name: str, model: str, stored: _Model) -> Snapshot:
    try:
        snapshot = _read_model(model, stored)
    except ValueError as error:
        raise SchemaError(f"{name} was edited by hand: {model}: {error}; {REPAIR}") from error
    for metric in METRICS:
        written, added = getattr(stored, metric), snapshot.metric(metric)
        if written != added:
            raise SchemaError(
                f"{name} was edited by hand or merged badly: {model} has {metric} = {written:,}, and its "
                f"layers add up to {added:,}; {REPAIR}"
            )
    if stored.digest != _compute_digest(snapshot):
        raise SchemaError(
            f"{name} was edited by hand or merged badly: {model} does not match its digest; {REPAIR}"
        )
    return snapshot


def _read_model(model: str, stored: _Model) -> Snapshot:
    """The snapshot that was written, be its sums and its digest right or not.

    Raises:
        ValueError: a size in it is no number.
    """
    return Snapshot(
        model=model,
        spec=stored.spec,
        inputs=tuple(_read_input(text) for text in stored.inputs),
        convention=stored.convention,
        lines=tuple(_read_line(line) for line in stored.layers),
    )


def _format_model(snapshot: Snapshot) -> str:
    """The model's part of the file."""
    head, lines = _format_body(snapshot)
    digest = _quote(_hash((head, lines)))
    return f"[models.{_format_key(snapshot.model)}]\n{head}digest = {digest}\nlayers = [\n{lines}]\n"


def _format_body(snapshot: Snapshot) -> tuple[str, str]:
    """The keys above the digest and the lines under it: what the digest is of."""
    inputs = ", ".join(
        _quote(f"{_format_shape(given.shape)} {given.dtype}".strip()) for given in snapshot.inputs
    )
    head = [
        f"spec = {_quote(snapshot.spec)}",
        f"inputs = [{inputs}]",
        f"convention = {_quote(snapshot.convention)}",
        *(f"{metric} = {snapshot.metric(metric):_}" for metric in METRICS),
    ]
    return "".join(f"{line}\n" for line in head), "".join(
        f"  {{ {_format_line(line)} }},\n" for line in snapshot.lines
    )


def _compute_digest(snapshot: Snapshot) -> str:
    """What tells that a line was edited by hand."""
    return _hash(_format_body(snapshot))


def _hash(parts: tuple[str, str]) -> str:
    return sha256("".join(parts).encode()).hexdigest()[:16]


_DEFAULTS = {info.name: info.default for info in msgspec.structs.fields(_Line)}
_NAMES = {info.name: info.encode_name for info in msgspec.structs.fields(_Line)}


def _format_line(line: SnapshotLine) -> str:
    """A layer's keys and values; those that say nothing are left out."""
    values = {name: getattr(line, name) for name in SnapshotLine.__struct_fields__}
    if line.total == line.macs:
        values["total"] = None
    texts = {
        name: _format_shape(value) if isinstance(value, tuple) else value for name, value in values.items()
    }
    return ", ".join(
        f"{_NAMES[name]} = {_format_value(text)}" for name, text in texts.items() if text != _DEFAULTS[name]
    )


def _format_value(value: str | int) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:_}" if isinstance(value, int) else _quote(value)


def _read_line(stored: _Line) -> SnapshotLine:
    values = {name: getattr(stored, name) for name in stored.__struct_fields__}
    for name in ("input", "output", "kernel", "stride", "padding"):
        values[name] = _read_shape(values[name])
    if stored.total is None:
        values["total"] = stored.macs
    return SnapshotLine(**values)


def _read_input(text: str) -> SnapshotInput:
    shape, _, dtype = text.rpartition(" ")
    return SnapshotInput(_read_shape(shape), dtype)


def _format_shape(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _read_shape(text: str) -> Shape:
    return tuple(int(size) for size in text.split("x")) if text else ()


def _format_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quote(name)


def _quote(value: str) -> str:
    """A text as TOML writes it: as JSON does, but for one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
