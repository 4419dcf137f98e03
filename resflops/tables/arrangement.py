"""Arranges a table to a reader's wish: which columns, in what order the rows, in which units, how precise."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from resflops.errors import UsageError, suggest
from resflops.tables.table import Column, Measures, Row, Table, Unit, select_for_people

__all__ = [
    "ALIASES",
    "Arrangement",
    "UnitChoice",
    "arrange_table",
    "check_columns",
    "normalize_name",
    "parse_columns",
    "parse_sort",
    "parse_units",
]

UnitChoice = str
"""``auto``, ``none`` or one of ``UNITS``."""

UNITS: dict[str, Unit] = {"K": "K", "M": "M", "G": "G", "T": "T"}

BYTE_UNITS: dict[str, Unit] = {
    "kb": "KB", "mb": "MB", "gb": "GB", "tb": "TB", "kib": "KiB", "mib": "MiB", "gib": "GiB", "tib": "TiB",
}  # fmt: skip
"""The units of columns of bytes, as they are typed in small letters."""

EXPONENTS: dict[Unit, int] = {"": 0, "K": 3, "M": 6, "G": 9, "T": 12}

ALIASES = {
    "parameters": "params",
    "weights": "params",
    "flops": "total",
    "cost": "total",
    "≈": "rounded",
    "approx": "rounded",
    "shape": "input",
    "layer": "name",
    "module": "name",
    "input": "input_shape",
    "output": "output_shape",
    "macs_per_sample": "total_per_sample",
    "per_sample": "total_per_sample",
    "peak": "peak_bytes",
    "above_weights": "above_weights_bytes",
}
"""Other names of columns, where a table has the column that they stand for."""


class Arrangement(Struct, frozen=True, kw_only=True):
    """What a reader wishes of a table; nothing of it changes a figure."""

    columns: tuple[str, ...] = ()
    """The columns to show, in this order; ``()`` for the usual ones."""
    added: tuple[str, ...] = ()
    """Columns to show beside the usual ones."""
    removed: tuple[str, ...] = ()
    """Columns of the usual ones not to show."""
    sort: str = ""
    """The column to sort the rows by; ``""`` leaves them as they are."""
    descending: bool = False
    units: Mapping[str, UnitChoice] = {}
    """The unit of columns by their names; that of ``""`` is for all costs."""
    precision: int | None = None
    """Decimals of percentages, ratios, measured figures and figures in a unit; None for the usual ones."""

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that it names."""
        sort = (self.sort,) if self.sort else ()
        return (*self.columns, *self.added, *self.removed, *sort, *filter(None, self.units))


def parse_columns(text: str) -> Arrangement:
    """Parse a list of columns: ``model,params,macs`` shows these alone, ``+input,-ratio`` changes the usual.

    Raises:
        UsageError: it names no column, or names some with a sign and some without.
    """
    words = [word for word in re.split(r"[,\s]+", text) if word]
    signed = [word for word in words if word[0] in "+-"]
    if not words or any(word in "+-" for word in words):
        raise UsageError(f"--columns takes names of columns, such as model,params,macs, got {text!r}")
    if signed and len(signed) < len(words):
        (first, *_) = [word for word in words if word not in signed]
        raise UsageError(
            f"--columns {text}: either list the columns to show, as in model,params,macs, or give each a "
            f"sign, + to add it and - to leave it out; {first!r} has no sign"
        )
    if not signed:
        return Arrangement(columns=tuple(dict.fromkeys(map(normalize_name, words))))
    return Arrangement(
        added=tuple(normalize_name(word[1:]) for word in words if word[0] == "+"),
        removed=tuple(normalize_name(word[1:]) for word in words if word[0] == "-"),
    )


def parse_sort(text: str) -> Arrangement:
    """Parse the column to sort by: ``macs`` puts the smallest first, ``-macs`` the largest.

    Raises:
        UsageError: it names no column.
    """
    name = text.strip()
    descending = name.startswith("-")
    name = normalize_name(name.lstrip("+-"))
    if not name or "," in name:
        raise UsageError(
            f"--sort takes the name of one column, such as macs, or -macs for the largest first, got {text!r}"
        )
    return Arrangement(sort=name, descending=descending)


def parse_units(text: str) -> Arrangement:
    """Parse units: ``G`` for all costs, ``MiB`` for all bytes, or ``macs=G,params=M`` for columns by name.

    Raises:
        UsageError: there is no such unit.
    """
    units: dict[str, UnitChoice] = {}
    for part in filter(None, text.split(",")):
        name, equals, unit = part.rpartition("=")
        if equals and not name:
            raise UsageError(f"--units {text}: name a column before the =, as in macs=G")
        units[normalize_name(name)] = _read_unit(unit)
    if not units:
        raise UsageError(f"--units takes auto, K, M, G, T or none, got {text!r}")
    return Arrangement(units=units)


def _read_unit(text: str) -> UnitChoice:
    if text.lower() in {"auto", "none"}:
        return text.lower()
    if text.upper() in UNITS:
        return text.upper()
    if text.lower() in BYTE_UNITS:
        return BYTE_UNITS[text.lower()]
    raise UsageError(
        f"no unit {text!r}; available: auto, {', '.join(UNITS)} and none, and of bytes "
        f"{', '.join(BYTE_UNITS.values())}; columns can have their own, as in macs=G,params=M"
    )


def normalize_name(name: str) -> str:
    """Write the name of a column as its key is written.

    >>> normalize_name(" Non-zero MACs "), normalize_name("MACs")
    ('non_zero_macs', 'macs')
    """
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


def check_columns(names: Iterable[str], known: Sequence[str]) -> None:
    """Check names of columns against those that a table may have, before anything is counted for it.

    Raises:
        UsageError: there is no such column.
    """
    for name in names:
        if name not in known and ALIASES.get(name) not in known:
            raise _make_unknown_error(name, known)


def _make_unknown_error(name: str, known: Sequence[str]) -> UsageError:
    return UsageError(f"no column named {name!r}{suggest(name, known)}; available: {', '.join(known)}")


def arrange_table(table: Table, wish: Arrangement) -> Table:
    """Arrange a table, and below it the tables that have columns of the same names.

    Raises:
        UsageError: the table has no column of a name.
    """
    arranged = _set_units(_sort_rows(_choose_columns(table, wish), wish), wish, required=True)
    return replace(arranged, below=tuple(_arrange_below(part, wish) for part in table.below))


def _arrange_below(table: Table, wish: Arrangement) -> Table:
    """Arrange a table that stands below another, as far as it has the columns."""
    wanted = tuple(name for name in wish.columns if _find_column(table, name))
    # The texts that always stay say what a row is about.
    naming = (
        column.key
        for column in select_for_people(table.columns)
        if column.kind == "text" and not column.detail
    )
    wanted = tuple(dict.fromkeys((*naming, *wanted))) if len(wanted) > 1 else ()
    mine = Arrangement(
        columns=wanted,
        removed=tuple(name for name in wish.removed if _find_column(table, name)),
        units=wish.units,
        precision=wish.precision,
    )
    return _set_units(_choose_columns(table, mine), mine, required=False)


def _find_column(table: Table, name: str) -> Column | None:
    """Find the column of a name: its key, its heading, or another name of it."""
    by_key = {column.key: column for column in table.columns}
    # What was asked for by a word that this table writes over one of its columns is that column.
    by_heading = {
        normalize_name(column.heading): column for column in reversed(table.columns) if column.heading
    }
    for found in (by_key.get(name), by_heading.get(name), by_key.get(ALIASES.get(name, ""))):
        if found:
            return found
    return None


def _require_column(table: Table, name: str) -> Column:
    found = _find_column(table, name)
    if found is None:
        known = [column.key for column in table.columns if column.kind != "data"]
        raise UsageError(
            f"this table has no column named {name!r}{suggest(name, known)}; it has: {', '.join(known)}; "
            "some columns are there with certain options only"
        )
    return found


def _choose_columns(table: Table, wish: Arrangement) -> Table:
    if wish.columns:
        chosen = dict.fromkeys(_require_column(table, name) for name in wish.columns)
        return replace(
            table, chosen=True, columns=tuple(_show(column, place) for place, column in enumerate(chosen))
        )
    added = {_require_column(table, name) for name in wish.added}
    removed = {_require_column(table, name) for name in wish.removed}
    columns = tuple(
        _show(column, 1) if column in added else column for column in table.columns if column not in removed
    )
    if not select_for_people(columns):
        raise UsageError("--columns leaves no column; leave one in the table")
    return replace(table, chosen=table.chosen or bool(added), columns=columns)


def _show(column: Column, place: int) -> Column:
    """Show a column to everyone and everywhere, since somebody has asked for it."""
    heading = column.heading or column.key.replace("_", " ")
    # It may fold where the screen is narrow, the last one first, and is never left out.
    return replace(
        column, audience="all", heading=heading, prints=True, folds=True, detail=place + 1 if place else 0
    )


def _sort_rows(table: Table, wish: Arrangement) -> Table:
    """Sort rows by exact value, equal ones as they were; rows without a value come last."""
    if not wish.sort:
        return table
    key = _require_column(table, wish.sort).key
    known = [place for place, row in enumerate(table.rows) if _has_value(row.get(key))]
    rest = [place for place in range(len(table.rows)) if place not in set(known)]
    ordered = sorted(known, key=lambda place: _make_sort_key(table.rows[place][key]), reverse=wish.descending)
    places = [*ordered, *rest]
    return replace(
        table,
        rows=tuple(table.rows[place] for place in places),
        hidden=frozenset(new for new, old in enumerate(places) if old in table.hidden),
        # A value that was written once for several rows may now stand between others.
        columns=tuple(replace(column, repeats=True) for column in table.columns),
    )


def _has_value(value: object) -> bool:
    return value is not None and value not in ("", ())


def _make_sort_key(value: Any) -> tuple[int, Any]:  # noqa: ANN401 - any value of a cell
    """Make a key by which values of one kind compare: numbers as they are, texts without regard to case."""
    if isinstance(value, (int, float)) or hasattr(value, "numerator"):
        return (0, value)
    return (1, str(value).casefold() if isinstance(value, str) else str(value))


def _set_units(table: Table, wish: Arrangement, *, required: bool) -> Table:
    own: dict[str, UnitChoice] = {}
    for name, unit in wish.units.items():
        if name:
            found = _require_column(table, name) if required else _find_column(table, name)
            if found:
                own[found.key] = unit
    choices: dict[Measures, UnitChoice] = {}
    common = wish.units.get("", "")
    if common and common not in BYTE_UNITS.values():
        # Parameters are usually fewer by orders of magnitude, so that the unit of costs does not suit them.
        choices = {"cost": common, "parameters": "none" if common == "none" else "auto"}

    def _choose_common(column: Column) -> UnitChoice:
        if column.kind == "bytes":
            # Beside costs, a letter alone is theirs.
            alone = not any(each.measures for each in table.columns)
            return common if common in BYTE_UNITS.values() or alone else "none"
        return choices.get(column.measures, "none")

    rows = (*table.list_shown_rows(), *([table.total] if table.total else []))
    return replace(
        table,
        columns=tuple(
            replace(
                column,
                unit=_choose_unit(own.get(column.key) or _choose_common(column), rows, column),
                digits=column.digits if wish.precision is None else wish.precision,
            )
            for column in table.columns
        ),
    )


def _choose_unit(choice: UnitChoice, rows: Iterable[Row], column: Column) -> Unit:
    """Choose one unit for a column, so that its figures can be compared at a glance.

    ``auto`` takes the largest in which the smallest figure is at least 0.1, and at most one step below that
    of the largest figure.
    """
    if choice in BYTE_UNITS.values() and column.kind != "bytes":
        raise UsageError(f"--units: the column {column.key!r} is not of bytes; its unit is K, M, G or T")
    if column.kind == "bytes":
        # Without one unit for all, each figure has that which suits it.
        return BYTE_UNITS.get(choice.lower(), BYTE_UNITS.get(f"{choice.lower()}ib", ""))
    if choice != "auto":
        return UNITS.get(choice, "")
    sizes = [abs(value) for row in rows if (value := row.get(column.key))]
    if not sizes:
        return ""
    fitting = [unit for unit, power in EXPONENTS.items() if min(sizes) * 10 >= 10**power]
    largest = [unit for unit, power in EXPONENTS.items() if max(sizes) >= 10**power]
    order: list[Unit] = list(EXPONENTS)
    lowest = max(order.index((largest or [""])[-1]) - 1, 0)
    return order[max(order.index((fitting or [""])[-1]), lowest)] if max(sizes) >= 1000 else ""
