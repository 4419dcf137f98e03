"""A table as a value: named columns, rows of raw values, notes. Nothing here is formatted."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from msgspec import Struct

from resflops.cost.convention import Convention
from resflops.cost.uncounted import UncountedOp
from resflops.extensions import BROKEN, find_display

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Audience",
    "Check",
    "Column",
    "Figure",
    "Kind",
    "Measures",
    "Note",
    "Row",
    "Table",
    "Tone",
    "Unit",
    "describe_calls",
    "format_cost_heading",
    "list_uncounted_ops",
    "note_broken_extensions",
    "note_convention",
    "select_for_people",
    "select_for_programs",
    "show_people_if",
]

Kind = Literal[
    "text",
    "lines",
    "names",
    "count",
    "rounded",
    "share",
    "fine share",
    "times",
    "shape",
    "shapes",
    "step",
    "window",
    "signed",
    "signed share",
    "form",
    "seconds",
    "seconds range",
    "rate",
    "bytes",
    "joules",
    "share range",
    "points",
    "flag",
    "quotient",
    "data",
]
"""What a value is, which decides how it is written and to which side it is set.

``lines`` is several texts one below the other and ``names`` several in a row; ``rounded``
is a count to three digits; ``shapes`` is one shape an input; ``step`` is a stride that is
mostly the same in every dimension; ``window`` is kernel, stride, padding and groups;
``signed`` is a difference, which bears its sign; ``form`` is a ``gate.diff.Form``, what a layer is;
``rate`` is a measured number to three digits, ``times`` a ratio, ``points`` a difference of shares,
``flag`` yes or no, and a ``range`` is its two ends; ``quotient`` is a count divided by another, an int or a
Fraction;
``data`` is nested and only for JSON, which in turn needs no ``lines``.
"""

Audience = Literal["all", "people", "programs", "asked"]
"""Who reads it: programs read JSON and CSV, people the other formats; ``asked`` is for nobody who has not
named the column."""

Tone = Literal["", "good", "bad", "doubtful"]
"""What a text says about what it describes, for formats that have colours."""

Measures = Literal["", "cost", "parameters"]
"""What a count is of, for columns whose figures may be written in a unit, such as ``G``."""

Unit = Literal["", "K", "M", "G", "T", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"]
"""What a figure is divided by: nothing, 10³, 10⁶, 10⁹ or 10¹²; those in B are of bytes, KiB and the next of
1024."""

Row = Mapping[str, Any]
"""Column key to raw value: counts are ints, shapes are tuples, and what is missing is None."""

ForReaders = TypeVar("ForReaders", "Column", "Note")


class Column(Struct, frozen=True, kw_only=True):
    """One column, and how it may give way where the screen is narrow."""

    key: str
    heading: str = ""
    kind: Kind = "text"
    audience: Audience = "all"
    empty: str = ""
    """What stands for an empty text."""
    exact_if: str = ""
    """Key of the truth value without which the figure is only a lower bound."""
    repeats: bool = True
    """Whether a value equal to the one above it is written again."""
    wraps: bool = False
    """Whether its text may be broken over several lines."""
    detail: int = 0
    """How soon it gives way where the screen is narrow: the higher, the sooner; 0 for a column that always
    stays."""
    folds: bool = True
    """Whether it gives way to a line of its own under the row; otherwise it is left out, as a note says."""
    prints: bool = True
    """Whether it stands in a printed table, whose reader has a column's width, without being asked for."""
    tone: str = ""
    """Key of the ``Tone`` of its texts; ``""`` for texts without one."""
    measures: Measures = ""
    """What its counts are of."""
    unit: Unit = ""
    """What its counts are written in; ``""`` writes them exactly."""
    digits: int | None = None
    """How many decimals its figures are written with; None for as many as their kind usually has."""


class Figure(Struct, frozen=True):
    """A value inside a sentence."""

    kind: Kind
    value: Any


class Note(Struct, frozen=True, kw_only=True):
    """A sentence under the table; ``{name}`` in it stands for one of its figures."""

    text: str
    figures: Mapping[str, Figure] = {}
    audience: Audience = "all"
    of_checks: bool = False
    """Whether the formats of checks, which leave other notes out, show it too."""
    qualifies: bool = False
    """Whether the figures are misread without it, so that it stands under a printed table, too."""


class Check(Struct, frozen=True, kw_only=True):
    """Something that was checked against a limit, for the formats in which other tools read verdicts."""

    subject: str
    """What was checked, such as a model."""
    name: str
    """Which figure of it."""
    outcome: Literal["passed", "better", "failed", "error"]
    """``error`` if it could not be checked at all."""
    notes: tuple[Note, ...]
    """What to say about it, the verdict first and then the reasons."""
    reason: str = ""
    """The verdict in two or three words."""
    path: str = ""
    """The file that sets the limit."""
    line: int = 1


class Table(Struct, frozen=True, kw_only=True):
    """Everything that a format shows, for all formats alike."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    name: str = "rows"
    """The key that its rows stand under in JSON."""
    convention: str = ""
    """The convention that its figures are under; ``""`` for a table without costs."""
    intro: tuple[Note, ...] = ()
    """Notes to read before the rows."""
    facts: Row = {}
    """What holds for the whole table, for programs; people read it in the title."""
    hidden: frozenset[int] = frozenset()
    """Indices of rows that only programs are given."""
    total: Row | None = None
    notes: tuple[Note, ...] = ()
    below: tuple["Table", ...] = ()
    """Tables that belong under this one."""
    checks: tuple[Check, ...] = ()
    """What was checked, if anything."""
    tone: Tone = ""
    """What its title says about what it describes."""
    long: bool = False
    """Whether it usually has more rows than a page of a document."""
    caption: Note | None = None
    """What stands over it in print, where nothing else says what is shown; None for the title."""
    label: str = ""
    """What a document refers to it by; ``""`` for its name or title."""
    chosen: bool = False
    """Whether its reader has chosen the columns, so that none of them is left out."""

    def list_shown_rows(self) -> tuple[Row, ...]:
        """List the rows for people."""
        return tuple(row for place, row in enumerate(self.rows) if place not in self.hidden)

    def render(self, name: str) -> str:
        """Write it in a format, such as ``markdown``, ``latex``, ``csv``, ``json`` or ``html``.

        Raises:
            UsageError: there is no such format.
        """
        text: str = find_display("format")(self, name)
        return text

    def to_markdown(self) -> str:
        """Write it as a Markdown table."""
        return self.render("markdown")

    def to_latex(self) -> str:
        """Write it as a LaTeX table."""
        return self.render("latex")

    def to_csv(self) -> str:
        """Write its rows as CSV, numbers raw."""
        return self.render("csv")

    def to_json(self) -> str:
        """Write its rows as JSON, numbers raw."""
        return self.render("json")

    def to_html(self) -> str:
        """Write it as an HTML page."""
        return self.render("html")

    def __str__(self) -> str:
        text: str = find_display("text")(self)
        return text.removesuffix("\n")

    # So that it shows itself where it is the last line of a cell or of an interactive session.
    __repr__ = __str__

    def _repr_html_(self) -> str:
        html: str = find_display("html")(self)
        return html

    # msgspec gives every struct one, which would show every field.
    __rich_repr__ = None  # type: ignore[assignment]

    def to_frame(self) -> "pd.DataFrame":
        """Turn the rows into a pandas data frame, values as they are, a column for each key."""
        import pandas as pd

        # Two columns may show one key, as a count and rounded.
        keys = list(dict.fromkeys(column.key for column in self.columns))
        return pd.DataFrame([[row.get(key) for key in keys] for row in self.rows], columns=keys)

    to_pandas = to_frame


def select_for_people(items: tuple[ForReaders, ...]) -> tuple[ForReaders, ...]:
    """Select the columns or notes that people read."""
    return tuple(item for item in items if item.audience in {"all", "people"})


def select_for_programs(items: tuple[ForReaders, ...]) -> tuple[ForReaders, ...]:
    """Select the columns or notes that programs read."""
    return tuple(item for item in items if item.audience in {"all", "programs"})


def show_people_if(needed: object) -> Audience:
    """Return the audience of a column: everyone if there is something to see, else programs alone."""
    return "all" if needed else "programs"


def note_broken_extensions(group: str) -> tuple[Note, ...]:
    """Note the extensions of a group that could not be loaded."""
    return tuple(
        Note(
            text="The extension {name} of the distribution {distribution} could not be loaded: {reason}.",
            figures={
                "name": Figure("text", each.extension.name),
                "distribution": Figure("text", each.extension.distribution),
                "reason": Figure("text", each.reason),
            },
        )
        for each in BROKEN
        if each.extension.group == group
    )


UNITS = {"macs": "MACs", "flops": "FLOPs"}
"""What a figure under our own conventions of one kind of operation is called; the word alone names them."""


def format_cost_heading(convention: Convention) -> str:
    """Write the heading of a column of costs, as its readers call the figure.

    A table names its convention once, in its title or its notes. A convention that counts otherwise than
    its unit promises, as other counters do, is named here too.

    >>> from resflops.cost.convention import find_convention
    >>> [format_cost_heading(find_convention(name)) for name in ("macs", "flops", "thop", "formula")]
    ['MACs', 'FLOPs', 'MACs (thop)', 'cost (formula)']
    """
    if convention.name in UNITS:
        return UNITS[convention.name]
    if not convention.views:
        return f"cost ({convention.name})"
    return f"{'FLOPs' if convention.per_mac > 1 else 'MACs'} ({convention.name})"


def note_convention(convention: Convention) -> Note:
    """Note in words what a convention counts."""
    return Note(
        text="{name} counts {counts}.", figures=_build_figures(name=convention.name, counts=convention.counts)
    )


def describe_calls(calls: int, first: str) -> str:
    """Describe how often an op is called, and where to look for it.

    >>> describe_calls(3, "layer1"), describe_calls(1, "")
    ('3 calls, first in layer1', '1 call, in the model itself')
    """
    where = first or "the model itself"
    return f"{calls} calls, first in {where}" if calls > 1 else f"1 call, in {where}"


def list_uncounted_ops(uncounted: Iterable[UncountedOp]) -> str:
    """List the ops that a figure lacks in one text, with their calls and where to look for them."""
    return "; ".join(
        f"{lacking.op} ({describe_calls(lacking.calls, lacking.layer)})" for lacking in uncounted
    )


def _build_figures(**values: str) -> dict[str, Figure]:
    return {name: Figure("text", value) for name, value in values.items()}
