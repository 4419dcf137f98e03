"""How values are written: for people with separators and units, for programs as they are.

Every number that resflops shows passes through here. ``rounded``, ``share``, ``times`` and ``shape`` are
not named by verbs, since the pictures import them: a picture's digest covers the source of its module,
so that a new name there would redraw it.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from resflops.errors import escape_control_characters
from resflops.records import Shape
from resflops.tables import Column, Figure, Kind, Note, Table
from resflops.tables.table import Row

if TYPE_CHECKING:
    from resflops.gate.diff import Form

__all__ = [
    "RIGHT",
    "encode_in_column",
    "encode_value",
    "format_cells",
    "format_heading",
    "format_note",
    "format_total",
    "format_value",
    "format_window",
    "rounded",
    "shape",
    "share",
    "times",
]

RIGHT: frozenset[Kind] = frozenset(
    ("count", "rounded", "share", "fine share", "signed", "signed share", "seconds", "seconds range", "rate",
     "bytes", "joules", "times", "share range", "points", "quotient")
)  # fmt: skip
"""Kinds that are aligned to the right, so that their digits stand below each other."""

PREFIXES = ("", " k", " M", " G", " T", " P", " E", " Z")


def rounded(count: int) -> str:
    """Write a count to three digits.

    >>> rounded(3_663_761_408), rounded(999_999), rounded(512)
    ('3.66 G', '1.00 M', '512')
    """
    if count < 1000:
        return str(count)
    # By the rounded mantissa, so that 999,999 is 1.00 M and not 1000 k.
    mantissa, exponent = f"{count:.2e}".split("e")
    thousands, digits = divmod(int(exponent), 3)
    if thousands >= len(PREFIXES):
        return f"{count:.2e}"
    return f"{float(mantissa) * 10**digits:.{2 - digits}f}{PREFIXES[thousands]}"


def share(part: float, *, digits: int = 1) -> str:
    """Write a part of a whole in per cent.

    >>> share(0.18662), share(0.18662, digits=2), share(0.0001), share(0)
    ('18.7 %', '18.66 %', '<0.1 %', '0.0 %')
    """
    least = 10**-digits
    # What rounds to zero and is more than that is not shown as zero.
    if 0 < part * 100 < least / 2:
        return f"<{least:.{digits}f} %"
    return f"{float(part) * 100:,.{digits}f} %"


def format_measured(value: float, unit: str = "", *, digits: int = 3, decimals: int | None = None) -> str:
    """Write a measured number to three digits, with the prefix that fits; zero has neither.

    >>> format_measured(0.0020372, "s"), format_measured(12.34, "s")
    ('2.04 ms', '12.3 s')
    >>> format_measured(3.651e12), format_measured(0.0, "J")
    ('3.65 T', '0 J')
    """
    if not value:
        return f"0 {unit}".strip()
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    thousands = max(int(exponent) // 3, -len(SMALL))
    if thousands >= len(PREFIXES) or (thousands < 0 and not unit):
        return f"{value:.{digits}g} {unit}".strip()
    shown = float(mantissa) * 10.0 ** (int(exponent) - 3 * thousands)
    if decimals is None:
        decimals = max(digits - 1 - (int(exponent) - 3 * thousands), 0)
    else:
        shown = abs(value) / 10.0 ** (3 * thousands)
    prefix = SMALL[-thousands - 1] if thousands < 0 else PREFIXES[thousands].strip()
    return f"{'-' if value < 0 else ''}{shown:.{decimals}f} {prefix}{unit}".strip()


SMALL = ("m", "µ", "n")


def format_measured_range(ends: tuple[float, float], unit: str = "") -> str:
    """Write two measured numbers as a range.

    >>> format_measured_range((0.00204, 0.00219), "s")
    '2.04 ms – 2.19 ms'
    """
    return " – ".join(format_measured(end, unit) for end in ends)


def format_bytes(count: int) -> str:
    """Write bytes in units of 1024.

    >>> format_bytes(574_668_960), format_bytes(512)
    ('548 MiB', '512 B')
    """
    if count < 1024:
        return f"{count} B"
    power = min((count.bit_length() - 1) // 10, 5)
    value = count / 1024**power
    return f"{value:.{max(3 - len(str(int(value))), 0)}f} {'KMGTP'[power - 1]}iB"


def times(value: float) -> str:
    """Write a ratio.

    >>> times(5.358), times(0.1866), times(123.4)
    ('5.36×', '0.19×', '123×')
    """
    return f"{float(value):.2f}×" if abs(value) < 100 else f"{float(value):.0f}×"


def shape(sizes: Shape, *, by: str = "×") -> str:
    """Write sizes with a sign between them.

    >>> shape((1, 3, 224, 224))
    '1×3×224×224'
    """
    return by.join(map(str, sizes))


def format_stride(sizes: Shape) -> str:
    """Write a stride or padding, once if it is the same in every dimension.

    >>> format_stride((2, 2)), format_stride((2, 1))
    ('2', '2×1')
    """
    return str(sizes[0]) if len(set(sizes)) == 1 else shape(sizes)


def format_window(sizes: tuple[Shape | None, Shape | None, Shape | None, int | None]) -> str:
    """Write kernel, stride, padding and groups, without those that have their usual value.

    >>> format_window(((7, 7), (2, 2), (3, 3), 1)), format_window(((1, 1), (1, 1), (0, 0), 32))
    ('7×7 /2 pad 3', '1×1 groups 32')
    """
    kernel, stride, padding, groups = sizes
    parts = [shape(kernel)] if kernel else []
    if stride and set(stride) != {1}:
        parts.append(f"/{format_stride(stride)}")
    if padding and set(padding) != {0}:
        parts.append(f"pad {format_stride(padding)}")
    if groups and groups > 1:
        parts.append(f"groups {groups}")
    return " ".join(parts)


def format_signed(count: int) -> str:
    """Write a difference with its sign.

    >>> format_signed(115_605_504), format_signed(-5), format_signed(0)
    ('+115,605,504', '−5', '0')
    """
    return f"{count:+,}".replace("-", "−") if count else "0"


def format_points(difference: float, *, digits: int = 1) -> str:
    """Write a difference of two shares in percentage points.

    >>> format_points(-0.0621), format_points(0.5), format_points(0.0)
    ('−6.2', '+50.0', '0.0')
    """
    return f"{difference * 100:+.{digits}f}".replace("-", "−") if difference else f"{0:.{digits}f}"


def format_signed_share(part: float, *, digits: int = 2) -> str:
    """Write a difference as a part of the whole.

    >>> format_signed_share(0.0316), format_signed_share(-0.5), format_signed_share(0)
    ('+3.16 %', '−50.00 %', '0.00 %')
    >>> format_signed_share(6808.5846)
    '+680,858.46 %'
    """
    sign = "+" if part > 0 else "−" if part < 0 else ""
    return sign + share(abs(part), digits=digits)


def format_form(layer: "Form") -> str:
    """Write what a layer is.

    >>> from resflops.gate.diff import Form
    >>> format_form(Form(kernel=(3, 3), features=(256, 512), stride=(2, 2), groups=32, size=(14, 14)))
    '3×3×256→512 /2 groups 32 at 14×14'
    """
    features = "→".join(map(str, layer.features)) if layer.features else ""
    size, shapes = shape(layer.size), " → ".join(map(shape, layer.shapes))
    params = "" if layer.params is None else f"with {layer.params:,} parameters"
    parts = [
        layer.op,
        "×".join(part for part in (shape(layer.kernel), features) if part),
        format_window((None, layer.stride, layer.padding, layer.groups)),
        f"at {size}" if size else shapes,
        params,
        f"called {layer.calls} times" if layer.calls != 1 else "",
    ]
    return " ".join(part for part in parts if part)


def format_quotient(count: int | Fraction) -> str:
    """Write a count divided by another: exactly, whether or not it is whole.

    >>> format_quotient(3_663_761_408), format_quotient(Fraction(29, 8)), format_quotient(Fraction(4000, 3))
    ('3,663,761,408', '3.625', '1,333 1/3')
    """
    value = Fraction(count)
    whole, rest = divmod(value.numerator, value.denominator)
    if not rest:
        return f"{whole:,}"
    # A fraction with a short decimal form is easier to read in it.
    if 10**MOST_DECIMALS % value.denominator == 0:
        return f"{Decimal(value.numerator) / Decimal(value.denominator):,f}"
    return f"{whole:,} {rest}/{value.denominator}" if whole else f"{rest}/{value.denominator}"


MOST_DECIMALS = 4

DIVISORS: Mapping[str, int] = {
    "": 1,
    **{f"{prefix}{ending}": 1000**power for power, prefix in enumerate("KMGT", 1) for ending in ("", "B")},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)},
}
"""What a figure in each unit is divided by."""

USUAL_DIGITS = 2
"""Decimals of a figure in a unit, unless others are asked for."""


def format_in_unit(count: float | Fraction, unit: str, digits: int | None, *, signed: bool = False) -> str:
    """Write a count in a unit that its heading names, rounded exactly, half to even.

    >>> format_in_unit(3_663_761_408, "G", None), format_in_unit(3_663_761_408, "M", 1)
    ('3.66', '3,663.8')
    >>> format_in_unit(512, "G", 2), format_in_unit(0, "G", 2), format_in_unit(-512, "K", 1, signed=True)
    ('<0.01', '0.00', '−0.5')
    >>> format_in_unit(94_283_712, "MiB", None), format_in_unit(94_283_712, "MB", 1)
    ('89.92', '94.3')
    """
    digits = USUAL_DIGITS if digits is None else digits
    value = Fraction(count) / DIVISORS[unit]
    text = f"{Decimal(round(abs(value) * 10**digits)).scaleb(-digits):,.{digits}f}"
    sign = "−" if value < 0 else "+" if signed and value else ""
    # What rounds to zero and is more than that is not shown as zero.
    if value and not any(map("123456789".__contains__, text)):
        return f"{sign}<{Decimal(1).scaleb(-digits):f}"
    return sign + text


def format_lines(texts: tuple[str, ...]) -> str:
    """Write texts one below the other."""
    return "\n".join(map(escape_text, texts))


def escape_text(text: object) -> str:
    """Put a text in one line, with the control characters escaped that would move a terminal's cursor."""
    return escape_control_characters(str(text)).replace("\n", "\\n")


FORMATTERS: dict[Kind, Callable[[Any], str]] = {
    "text": escape_text,
    "lines": format_lines,
    "names": lambda names: ", ".join(map(escape_text, names)),
    "count": lambda count: f"{count:,}",
    "rounded": rounded,
    "share": share,
    "fine share": lambda part: share(part, digits=2),
    "times": times,
    "shape": shape,
    "shapes": lambda shapes: ", ".join(map(shape, shapes)),
    "step": format_stride,
    "window": format_window,
    "signed": format_signed,
    "signed share": format_signed_share,
    "form": format_form,
    "seconds": lambda value: format_measured(value, "s"),
    "seconds range": lambda ends: format_measured_range(ends, "s"),
    "rate": format_measured,
    "bytes": format_bytes,
    "joules": lambda value: format_measured(value, "J"),
    "share range": lambda ends: " – ".join(map(share, ends)),
    "points": format_points,
    "flag": lambda flag: "yes" if flag else "no",
    "quotient": format_quotient,
    "data": escape_text,
}

COUNTS: frozenset[Kind] = frozenset(("count", "signed", "quotient", "bytes"))
"""Kinds that may be written in a unit."""


def format_in_column(column: Column, value: Any) -> str:  # noqa: ANN401 - any value of a cell
    """Write a value as its column asks; ``""`` for None."""
    if value is not None and column.unit and column.kind in COUNTS:
        return format_in_unit(value, column.unit, column.digits, signed=column.kind == "signed")
    if value is not None and column.digits is not None and column.kind in DECIMAL:
        return DECIMAL[column.kind](value, column.digits)
    return format_value(column.kind, value)


def _format_measured_decimals(unit: str) -> Callable[[float, int], str]:
    # To as many decimals and not digits: in a column they stand below each other.
    return lambda value, digits: format_measured(value, unit, decimals=digits)


DECIMAL: dict[Kind, Callable[[Any, int], str]] = {
    "share": lambda part, digits: share(part, digits=digits),
    "fine share": lambda part, digits: share(part, digits=digits),
    "signed share": lambda part, digits: format_signed_share(part, digits=digits),
    "times": lambda value, digits: f"{float(value):.{digits}f}×",
    "points": lambda value, digits: format_points(value, digits=digits),
    "seconds": _format_measured_decimals("s"),
    "joules": _format_measured_decimals("J"),
    "rate": _format_measured_decimals(""),
}
"""Kinds with decimals, whose number may be chosen."""


def format_heading(column: Column) -> str:
    """Write a column's heading with the unit of its figures.

    >>> format_heading(Column(key="macs", heading="MACs", kind="count", unit="G"))
    'MACs (G)'
    """
    return f"{column.heading} ({column.unit})" if column.unit and column.heading else column.heading


def format_value(kind: Kind, value: object) -> str:
    """Write a value for people; ``""`` for None."""
    return "" if value is None else FORMATTERS[kind](value)


def format_cells(table: Table, columns: Sequence[Column]) -> list[list[str]]:
    """Write the cells for people, row by row."""
    rows = table.list_shown_rows()
    pairs = zip(rows, (None, *rows), strict=False)
    return [[_format_cell(column, row, above) for column in columns] for row, above in pairs]


def format_total(table: Table, columns: Sequence[Column]) -> list[str]:
    """Write the cells of the total; empty if the table has none."""
    total = table.total
    return [] if total is None else [_format_cell(column, total) for column in columns]


def _format_cell(column: Column, row: Row, above: Row | None = None) -> str:
    value = row.get(column.key)
    if not column.repeats and above is not None and above.get(column.key) == value:
        return ""
    # A total has no value in most columns; only a value that is there can be empty.
    text = format_in_column(column, value) or (column.empty if column.key in row else "")
    return f"≥ {text}" if text and column.exact_if and not row.get(column.exact_if, True) else text


def encode_value(kind: Kind, value: Any) -> Any:  # noqa: ANN401 - any value of a cell
    """Encode a value for programs: numbers stay numbers, and an input is written as ``--input`` reads it."""
    if kind == "shapes" and value is not None:
        return ", ".join(shape(sizes, by="x") for sizes in value)
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else float(value)
    return value


def encode_in_column(column: Column, value: Any) -> Any:  # noqa: ANN401 - any value of a cell
    """Encode a value for programs as its column asks: in its unit, and rounded only if digits are given.

    >>> encode_in_column(Column(key="macs", kind="count", unit="G"), 3_663_761_408)
    3.663761408
    """
    if value is None or not column.unit or column.kind not in COUNTS:
        return encode_value(column.kind, value)
    quotient = Fraction(value) / DIVISORS[column.unit]
    return float(quotient if column.digits is None else round(quotient, column.digits))


def format_note(note: Note) -> str:
    """Write a note with its figures put in."""
    return note.text.format_map({name: _format_figure(figure) for name, figure in note.figures.items()})


def _format_figure(figure: Figure) -> str:
    return format_value(figure.kind, figure.value)
