"""One model as a lock file writes it: its sums, a digest of all that it says, and a line a layer."""

import json
import re
from hashlib import sha256

import msgspec
from msgspec import Struct, field

from resflops.gate.bill import METRICS, Bill, BillInput, BillLine
from resflops.records import Shape

__all__ = ["WrittenModel", "digest_of", "model_text", "quoted", "unwritten"]


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


class WrittenModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


def unwritten(model: str, written: WrittenModel) -> Bill:
    """The bill that was written, be its sums and its digest right or not.

    Raises:
        ValueError: a size in it is no number.
    """
    return Bill(
        model=model,
        spec=written.spec,
        inputs=tuple(_input(text) for text in written.inputs),
        convention=written.convention,
        lines=tuple(_line(line) for line in written.layers),
    )


def model_text(bill: Bill) -> str:
    """The model's part of the file."""
    head, lines = _body(bill)
    digest = quoted(_digest((head, lines)))
    return f"[models.{_key(bill.model)}]\n{head}digest = {digest}\nlayers = [\n{lines}]\n"


def _body(bill: Bill) -> tuple[str, str]:
    """The keys above the digest and the lines under it: what the digest is of."""
    inputs = ", ".join(quoted(f"{_sizes(given.shape)} {given.dtype}".strip()) for given in bill.inputs)
    head = [
        f"spec = {quoted(bill.spec)}",
        f"inputs = [{inputs}]",
        f"convention = {quoted(bill.convention)}",
        *(f"{metric} = {bill.metric(metric):_}" for metric in METRICS),
    ]
    return "".join(f"{line}\n" for line in head), "".join(
        f"  {{ {_fields(line)} }},\n" for line in bill.lines
    )


def digest_of(bill: Bill) -> str:
    """What tells that a line was edited by hand."""
    return _digest(_body(bill))


def _digest(parts: tuple[str, str]) -> str:
    return sha256("".join(parts).encode()).hexdigest()[:16]


_DEFAULTS = {info.name: info.default for info in msgspec.structs.fields(_Line)}
_NAMES = {info.name: info.encode_name for info in msgspec.structs.fields(_Line)}


def _fields(line: BillLine) -> str:
    """A layer's keys and values; those that say nothing are left out."""
    values = {name: getattr(line, name) for name in BillLine.__struct_fields__}
    if line.total == line.macs:
        values["total"] = None
    texts = {name: _sizes(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return ", ".join(
        f"{_NAMES[name]} = {_value(text)}" for name, text in texts.items() if text != _DEFAULTS[name]
    )


def _value(value: str | int) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:_}" if isinstance(value, int) else quoted(value)


def _line(stored: _Line) -> BillLine:
    values = {name: getattr(stored, name) for name in stored.__struct_fields__}
    for name in ("input", "output", "kernel", "stride", "padding"):
        values[name] = _shape(values[name])
    if stored.total is None:
        values["total"] = stored.macs
    return BillLine(**values)


def _input(text: str) -> BillInput:
    shape, _, dtype = text.rpartition(" ")
    return BillInput(_shape(shape), dtype)


def _sizes(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _shape(text: str) -> Shape:
    return tuple(int(size) for size in text.split("x")) if text else ()


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)


def quoted(value: str) -> str:
    """A text as TOML writes it: as JSON does, but for one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
