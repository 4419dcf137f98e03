"""The lock file: what every model cost when it was last locked.

It is TOML with one line for each layer, so that a git diff shows which layers changed. Every model has a
digest of its own, so that a manual edit is noticed, and two branches that change different models merge
without a conflict.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from resflops.errors import FileError, SchemaError
from resflops.gate.paths import shorten_path
from resflops.gate.snapshot import MEMORY_METRICS, METRICS, HeldLine, Snapshot, SnapshotInput, SnapshotLine
from resflops.gate.toml_lines import LARGEST_FILE, parse_toml
from resflops.records import Shape
from resflops.sources.shapes import LONGEST_SIZE
from resflops.storage.writing import read_bytes, write_text

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
MEMORY_VERSION = 2
"""The version of a file that has memory in it. Without, it is one that every resflops reads."""

# Users have committed files with this heading, and is_lock goes by its first line: a changed word would put
# every lock file out of date.
HEADING = (
    "# What the models cost, layer by layer. Do not edit: `resflops lock`, or for models of tests\n"
    "# `pytest --resflops-lock`, writes it anew.\n"
)

REPAIR = "restore it from git, or delete it and lock the models again"


class Lock(Struct, frozen=True, kw_only=True):
    """The content of a lock file."""

    snapshots: Mapping[str, Snapshot]
    """What each model costs, by its name."""
    made_by: str = ""
    """The versions of resflops and torch that last changed a figure."""


# Unknown fields are errors in all of them: a misspelt key would otherwise count as its default.
class _Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One layer, in the form that the file has."""

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
    """None, and left out of the file, where it equals the MACs."""
    counted: bool = True


class _Held(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one layer holds at the peaks, in the form that the file has."""

    layer: str
    peak: int = 0
    training: int = 0


class _Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model, in the form that the file has."""

    spec: str
    inputs: list[str]
    convention: str
    macs: int
    params: int
    buffers: int
    total: int
    digest: str
    layers: list[_Line]
    peak_memory: int | None = None
    """In bytes; None, and left out of the file, where no memory was asked for."""
    training_memory: int | None = None
    memory: list[_Held] = []


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    schema_version: int
    made_by: str
    models: dict[str, _Model] = {}


class _Header(Struct):
    """The part that is read first, to tell a newer or a foreign file from a damaged one."""

    schema_version: int | None = None


def format_lock(lock: Lock) -> str:
    """Write the text of the file, which does not depend on the order of the snapshots."""
    # Sorted, so that a model that was moved in the configuration makes no difference in git.
    models = (_format_model(lock.snapshots[name]) for name in sorted(lock.snapshots))
    version = MEMORY_VERSION if any(snapshot.memory for snapshot in lock.snapshots.values()) else LOCK_VERSION
    head = f"{HEADING}schema_version = {version}\nmade_by = {_quote(lock.made_by)}\n"
    return "\n".join([head, *models])


def renew_lock(snapshots: Iterable[Snapshot], *, old: Lock | None, made_by: str) -> Lock:
    """Make a lock of these snapshots.

    If no figure changed, ``made_by`` stays that of the old lock, so that a newer torch or resflops that
    counts the same does not change the file.
    """
    named = {snapshot.model: snapshot.locked for snapshot in snapshots}
    return Lock(snapshots=named, made_by=old.made_by if old and old.snapshots == named else made_by)


def write_lock(path: str | os.PathLike[str], lock: Lock) -> bool:
    """Write a lock, whole or not at all.

    Returns:
        Whether the file changed.

    Raises:
        FileError: the file cannot be written.
    """
    # A file that differs only by the line endings that git gave it is not rewritten for them.
    if is_up_to_date(path, lock):
        return False
    write_text(path, format_lock(lock))
    return True


def is_up_to_date(path: str | os.PathLike[str], lock: Lock) -> bool:
    """Whether a file is what would be written, apart from the line endings that git may have given it."""
    file = Path(path)
    written = format_lock(lock).encode()
    return file.is_file() and read_bytes(file).replace(b"\r\n", b"\n") == written


def is_lock(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a lock file, damaged or not.

    Raises:
        FileError: the file cannot be read.
    """
    # By a part of its head: whatever else is damaged, the user is then told how to repair a lock file.
    try:
        data = read_bytes(path, most=LARGEST_FILE)
    except FileNotFoundError as error:
        raise FileError(f"could not read {shorten_path(path)}: {error.strerror}") from error
    return b"schema_version = " in data or HEADING.encode().split(b"\n")[0] in data


def read_lock(path: str | os.PathLike[str]) -> Lock:
    """Read a lock file.

    Raises:
        FileError: there is no such file, or it cannot be read.
        SchemaError: the file is cut off, was edited manually, is in the middle of a merge, has a newer
            schema version, or is not a lock file.
    """
    name = shorten_path(path)
    try:
        data = read_bytes(path, most=LARGEST_FILE)
    except FileNotFoundError:
        raise FileError(
            f"there is no lock file {name}; lock the models with `resflops lock` and commit the file"
        ) from None
    document = _parse_toml(name, data)
    _check_version(name, document)
    try:
        file = msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        raise SchemaError(f"{name} is damaged or was edited manually: {error}; {REPAIR}") from error
    return Lock(
        snapshots={model: _check_model(name, model, stored) for model, stored in file.models.items()},
        made_by=file.made_by,
    )


def _parse_toml(name: str, data: bytes) -> dict[str, Any]:
    try:
        text = data.decode()
        return parse_toml(text)
    except UnicodeDecodeError as error:
        raise SchemaError(f"{name} is not a text file: {error}; {REPAIR}") from error
    except ValueError as error:
        # Git's markers are no TOML, so a file in the middle of a merge always ends here.
        marker = re.search(r"^(<{7}|={7}|>{7})( |\r?$)", text, re.MULTILINE)
        if marker:
            line = text.count("\n", 0, marker.start()) + 1
            raise SchemaError(
                f"{name} is in the middle of a merge ({marker[1]} in line {line}); take either side, as in "
                f"`git checkout --ours {name}`, then lock the models again"
            ) from None
        raise SchemaError(f"{name} is cut off or was edited manually: {error}; {REPAIR}") from error


def _check_version(name: str, document: dict[str, Any]) -> None:
    try:
        version = msgspec.convert(document, _Header).schema_version
    except msgspec.ValidationError as error:
        raise SchemaError(f"{name} is damaged or was edited manually: {error}; {REPAIR}") from error
    if version is None:
        raise SchemaError(f"{name} is not a lock file: it has no schema_version; {REPAIR}")
    if version not in (LOCK_VERSION, MEMORY_VERSION):
        newer = "upgrade resflops" if version > MEMORY_VERSION else REPAIR
        raise SchemaError(
            f"{name} has schema version {version}, and this resflops reads versions {LOCK_VERSION} and "
            f"{MEMORY_VERSION}; {newer}"
        )


def _check_model(name: str, model: str, stored: _Model) -> Snapshot:
    try:
        snapshot = _read_model(model, stored)
        _check_figures(snapshot)
    except ValueError as error:
        raise SchemaError(f"{name} was edited manually: {model}: {error}; {REPAIR}") from error
    # The digest would notice this too, but could not say what is wrong.
    for metric in (*METRICS, *MEMORY_METRICS):
        written, added = getattr(stored, metric) or 0, snapshot.metric(metric)
        if written != added:
            raise SchemaError(
                f"{name} was edited manually or merged wrongly: {model} has {metric} = {written:,}, but its "
                f"layers add up to {added:,}; {REPAIR}"
            )
    if stored.digest != _compute_digest(snapshot):
        raise SchemaError(
            f"{name} was edited manually or merged wrongly: {model} does not match its digest; {REPAIR}"
        )
    return snapshot


def _read_model(model: str, stored: _Model) -> Snapshot:
    """Read the snapshot of a model, without checking its sums and its digest.

    Raises:
        ValueError: a size in it is not a number.
    """
    return Snapshot(
        model=model,
        spec=stored.spec,
        inputs=tuple(_read_input(text) for text in stored.inputs),
        convention=stored.convention,
        lines=tuple(_read_line(line) for line in stored.layers),
        memory=tuple(
            HeldLine(layer=held.layer, peak_memory=held.peak, training_memory=held.training)
            for held in stored.memory
        ),
    )


LARGEST_FIGURE = 10**60
"""Beyond any count, and within what a float can hold."""


def _check_figures(snapshot: Snapshot) -> None:
    """Check that every number can be one of a layer.

    Raises:
        ValueError: one cannot.
    """
    for line in snapshot.lines:
        for value in line.content:
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, int) and not 0 <= number < LARGEST_FIGURE:
                    raise ValueError(f"layer {line.layer!r} has a number that no layer has")
    for held in snapshot.memory:
        if not all(0 <= size < LARGEST_FIGURE for size in (held.peak_memory, held.training_memory)):
            raise ValueError(f"layer {held.layer!r} holds a number of bytes that no layer holds")


def _format_model(snapshot: Snapshot) -> str:
    """Write the part of the file for one model."""
    head, lines, held = _format_body(snapshot)
    digest = _quote(_hash((head, lines, held)))
    memory = f"memory = [\n{held}]\n" if held else ""
    return f"[models.{_format_key(snapshot.model)}]\n{head}digest = {digest}\nlayers = [\n{lines}]\n{memory}"


def _format_body(snapshot: Snapshot) -> tuple[str, str, str]:
    """Write the keys above the digest and the lines of both lists below, all of which it is a digest of."""
    inputs = ", ".join(
        _quote(f"{_format_shape(tensor.shape)} {tensor.dtype}".strip()) for tensor in snapshot.inputs
    )
    head = [
        f"spec = {_quote(snapshot.spec)}",
        f"inputs = [{inputs}]",
        f"convention = {_quote(snapshot.convention)}",
        *(f"{metric} = {snapshot.metric(metric):_}" for metric in (*METRICS, *snapshot.memory_metrics)),
    ]
    return (
        "".join(f"{line}\n" for line in head),
        "".join(f"  {{ {_format_line(line)} }},\n" for line in snapshot.lines),
        "".join(f"  {{ {_format_held(held)} }},\n" for held in snapshot.memory),
    )


def _compute_digest(snapshot: Snapshot) -> str:
    """Compute the digest that shows whether a line was edited manually."""
    # Of the text as we would write it, and not of the file: comments and line endings are no edits.
    return _hash(_format_body(snapshot))


def _hash(parts: tuple[str, ...]) -> str:
    # Against mistakes and not against attacks, for which 64 bits are enough.
    return sha256("".join(parts).encode()).hexdigest()[:16]


_DEFAULTS = {info.name: info.default for info in msgspec.structs.fields(_Line)}
_NAMES = {info.name: info.encode_name for info in msgspec.structs.fields(_Line)}


def _format_line(line: SnapshotLine) -> str:
    """Write the keys and values of a layer; those that have their default are left out."""
    values = {name: getattr(line, name) for name in SnapshotLine.__struct_fields__}
    if line.total == line.macs:
        values["total"] = None
    texts = {
        name: _format_shape(value) if isinstance(value, tuple) else value for name, value in values.items()
    }
    return ", ".join(
        f"{_NAMES[name]} = {_format_value(text)}" for name, text in texts.items() if text != _DEFAULTS[name]
    )


def _format_held(held: HeldLine) -> str:
    sizes = (("peak", held.peak_memory), ("training", held.training_memory))
    return ", ".join([f"layer = {_quote(held.layer)}", *(f"{key} = {size:_}" for key, size in sizes if size)])


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
    sizes = text.split("x") if text else []
    for size in sizes:
        if not (size.isascii() and size.isdigit() and len(size) <= LONGEST_SIZE + 1):
            raise ValueError(f"{size!r:.80} is not a size")
    return tuple(map(int, sizes))


def _format_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quote(name)


def _quote(value: str) -> str:
    """Write a text as TOML does."""
    # TOML's basic strings are JSON's, except that TOML also wants the control character DEL escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
