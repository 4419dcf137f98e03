"""What models cost along a variable as a table: the points, the steps between them, and the laws below."""

from collections.abc import Sequence

from msgspec import to_builtins

from resflops.sweeps.curves.law import Law, format_law
from resflops.sweeps.curves.polynomials import Number
from resflops.sweeps.curves.records import Curve, Point
from resflops.tables.curve_notes import note_lawless, note_laws, note_points
from resflops.tables.curve_steps import build_size_table, build_step_table, has_steps
from resflops.tables.table import (
    Column,
    Figure,
    Note,
    Row,
    Table,
    format_cost_heading,
    note_convention,
    show_people_if,
)

__all__ = ["COLUMN_NAMES", "build_curve_table"]

MANY_POINTS, SHOWN_POINTS = 48, 24
"""Of a model with more points than the first, people are shown the second number; programs get all."""

COLUMN_NAMES = (
    "model", "spec", "value", "input", "total", "rise", "macs", "params", "backward", "training", "law",
    "complete", "uncounted", "error",
)  # fmt: skip


def build_curve_table(
    curves: Sequence[Curve], *, everything: bool = False, all_rows: str = "--all, or JSON or CSV,"
) -> Table:
    """Build the table of ``resflops curve``, the points of each model below each other.

    Args:
        curves: at least one, all of one variable and under one convention.
        everything: whether people are shown every point.
        all_rows: what has every point where people are not shown all.
    """
    first = curves[0]
    rows = tuple(row for curve in curves for row in _build_rows(curve))
    hidden = frozenset() if everything else frozenset(_list_hidden(curves))
    return Table(
        name="points",
        title=f"Cost against {first.variable} under the convention {first.convention.name}",
        convention=first.convention.name,
        label=f"curve-{first.variable}",
        facts={
            "variable": first.variable,
            "laws": [_build_fact(curve, law) for curve in curves for law in curve.laws],
        },
        columns=_build_columns(rows, [row for place, row in enumerate(rows) if place not in hidden], first),
        rows=rows,
        hidden=hidden,
        notes=(
            *(note for curve in curves for note in (*note_laws(curve), *note_lawless(curve))),
            note_convention(first.convention),
            *(note for curve in curves for note in note_points(curve, shown=not hidden)),
            *(_note_hidden(len(rows), len(hidden), all_rows) if hidden else ()),
        ),
        below=_build_steps(curves),
        long=True,
    )


def _build_steps(curves: Sequence[Curve]) -> tuple[Table, ...]:
    if not any(map(has_steps, curves)):
        return ()
    sizes = build_size_table(curves)
    return (*((sizes,) if sizes.rows else ()), build_step_table(curves))


def _build_rows(curve: Curve) -> list[Row]:
    rows: list[Row] = []
    before: int | None = None
    for point in curve.points:
        rows.append(_build_row(curve, point, before))
        before = point.total
    return rows


def _build_row(curve: Curve, point: Point, before: int | None) -> Row:
    total = point.total
    return {
        "model": curve.model,
        "spec": point.spec,
        "value": point.value,
        "input": point.input_shapes or None,
        "total": total,
        "rise": None if total is None or before is None else total - before,
        "macs": point.macs,
        "params": point.params,
        "backward": point.backward,
        "training": None if total is None or point.backward is None else total + point.backward,
        "law": curve.law.evaluate(point.value) if curve.law and curve.law.tells(point.value) else None,
        "complete": point.complete,
        "uncounted": to_builtins(point.uncounted),
        "error": point.error,
        "tone": "bad" if point.error else "",
    }


def _build_columns(rows: Sequence[Row], shown: Sequence[Row], first: Curve) -> tuple[Column, ...]:
    trained = any(row["backward"] is not None for row in rows)
    grows = len({(row["model"], row["params"]) for row in rows}) > len({row["model"] for row in rows})
    refused = any(row["error"] for row in shown)
    several = any(row["model"] != first.model for row in rows)
    heading = format_cost_heading(first.convention)
    exact = "complete"
    return (
        Column(key="model", heading="model", repeats=False, audience=show_people_if(several)),
        Column(key="spec", heading="spec", audience="programs"),
        Column(key="value", heading=first.variable, kind="quotient"),
        Column(key="input", heading="input", kind="shapes", audience="programs"),
        Column(key="total", heading=heading, kind="count", exact_if=exact, measures="cost"),
        Column(
            key="rise",
            heading="rise",
            kind="signed",
            measures="cost",
            detail=1,
            folds=False,
            # Between rows that are not next to each other it would be read wrongly.
            audience=show_people_if(len(shown) == len(rows)),
        ),
        Column(key="macs", heading="MACs", kind="count", audience="programs"),
        Column(
            key="params",
            heading="params",
            kind="count",
            measures="parameters",
            audience=show_people_if(grows),
        ),
        Column(
            key="backward",
            heading="backward",
            kind="count",
            exact_if=exact,
            measures="cost",
            audience=show_people_if(trained),
        ),
        Column(
            key="training",
            heading="forward and backward",
            kind="count",
            exact_if=exact,
            measures="cost",
            audience=show_people_if(trained),
        ),
        Column(key="law", heading="by the law", kind="quotient", audience="programs"),
        Column(key="complete", heading="complete", kind="flag", audience="programs"),
        Column(key="uncounted", heading="uncounted", kind="data", audience="programs"),
        Column(key="error", heading="refused", wraps=True, tone="tone", audience=show_people_if(refused)),
    )


def _list_hidden(curves: Sequence[Curve]) -> list[int]:
    """List the rows that people are not shown: of many points, all but some of those that were counted."""
    hidden: list[int] = []
    start = 0
    for curve in curves:
        if len(curve.points) > MANY_POINTS:
            counted = [place for place, point in enumerate(curve.points) if not point.error]
            gaps = max(min(SHOWN_POINTS, len(counted)) - 1, 1)
            shown = {counted[round(place * (len(counted) - 1) / gaps)] for place in range(gaps + 1)}
            hidden += [start + place for place in range(len(curve.points)) if place not in shown]
        start += len(curve.points)
    return hidden


def _build_fact(curve: Curve, law: Law) -> Row:
    """Write a law for programs."""
    return {
        "model": curve.model,
        "figure": law.figure,
        "text": format_law(law),
        "pieces": [
            [
                {
                    "coefficient": str(term.coefficient),
                    "factors": [
                        {"divisor": each.size.divisor, "shift": each.size.shift, "power": each.power}
                        for each in term.factors
                    ],
                }
                for term in piece
            ]
            for piece in law.pieces
        ],
        "fitted": law.fitted,
        "verified": law.verified,
        **{end: _encode(getattr(law, end)) for end in ("first", "last", "stride")},
    }


def _encode(value: Number) -> int | str:
    return value if isinstance(value, int) else str(value)


def _note_hidden(points: int, hidden: int, all_rows: str) -> tuple[Note, ...]:
    return (
        Note(
            text="{shown} of {points} points are shown; {all_rows} has every one.",
            figures={
                "all_rows": Figure("text", all_rows),
                "shown": Figure("count", points - hidden),
                "points": Figure("count", points),
            },
            audience="people",
        ),
    )
