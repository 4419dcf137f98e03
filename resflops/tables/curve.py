"""What models cost along a variable as a table: the points, the steps between them, and the laws below."""

from collections.abc import Sequence

from msgspec import to_builtins

from resflops.errors import pluralize
from resflops.sweeps.curves.formula import format_domain, format_law
from resflops.sweeps.curves.records import Curve, Law, Point
from resflops.tables.table import (
    Column,
    Figure,
    Note,
    Row,
    Table,
    format_cost_heading,
    list_uncounted_ops,
    note_convention,
    show_people_if,
)

__all__ = ["COLUMN_NAMES", "build_curve_table", "describe_law", "name_figure"]

SHOWN_POINTS = 24
"""How many points of a model people are shown; programs get all."""

SHOWN_STEPS = 10
"""How many of the largest steps people are shown."""

COLUMN_NAMES = (
    "model", "spec", "value", "input", "total", "rise", "macs", "params", "backward", "training", "law",
    "complete", "uncounted", "error",
)  # fmt: skip


def build_curve_table(curves: Sequence[Curve], *, everything: bool = False) -> Table:
    """Build the table of ``resflops curve``, the points of each model below each other.

    Args:
        curves: at least one, all of one variable and under one convention.
        everything: whether people are shown every point.
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
        columns=_build_columns(rows, first, several=len(curves) > 1),
        rows=rows,
        hidden=hidden,
        notes=(
            *(note for curve in curves for note in _note_laws(curve)),
            note_convention(first.convention),
            *(note for curve in curves for note in _note_points(curve)),
            *(_note_hidden(len(rows), len(hidden)) if hidden else ()),
        ),
        long=True,
    )


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
        "law": None if curve.law is None else curve.law.evaluate(point.value),
        "complete": point.complete,
        "uncounted": to_builtins(point.uncounted),
        "error": point.error,
        "tone": "bad" if point.error else "",
    }


def _build_columns(rows: Sequence[Row], first: Curve, *, several: bool) -> tuple[Column, ...]:
    trained = any(row["backward"] is not None for row in rows)
    grows = len({(row["model"], row["params"]) for row in rows}) > len({row["model"] for row in rows})
    failed = any(row["error"] for row in rows)
    heading = format_cost_heading(first.convention)
    exact = "complete"
    return (
        Column(key="model", heading="model", repeats=False, audience=show_people_if(several)),
        Column(key="spec", heading="spec", audience="programs"),
        Column(key="value", heading=first.variable, kind="quotient"),
        Column(key="input", heading="input", kind="shapes", audience="asked"),
        Column(key="total", heading=heading, kind="count", exact_if=exact, measures="cost"),
        Column(key="rise", heading="rise", kind="signed", measures="cost", detail=1, folds=False),
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
        Column(key="law", heading="by the law", kind="quotient", audience="asked"),
        Column(key="complete", heading="complete", kind="flag", audience="programs"),
        Column(key="uncounted", heading="uncounted", kind="data", audience="programs"),
        Column(key="error", heading="refused", wraps=True, tone="tone", audience=show_people_if(failed)),
    )


def _list_hidden(curves: Sequence[Curve]) -> list[int]:
    """List the rows that people are not shown: of many points, all but some at equal distances."""
    hidden: list[int] = []
    start = 0
    for curve in curves:
        count = len(curve.points)
        if count > SHOWN_POINTS:
            shown = {round(place * (count - 1) / (SHOWN_POINTS - 1)) for place in range(SHOWN_POINTS)}
            hidden += [start + place for place in range(count) if place not in shown]
        start += count
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
        "first": str(law.first),
        "last": str(law.last),
        "stride": str(law.stride),
    }


def name_figure(figure: str, curve: Curve) -> str:
    """Name a figure of a curve as its column does."""
    heading = format_cost_heading(curve.convention)
    return {"total": heading, "backward": f"{heading} of the backward pass", "params": "params"}[figure]


def describe_law(law: Law, curve: Curve) -> str:
    """Write a law as an equation."""
    return f"{name_figure(law.figure, curve)} = {format_law(law)}"


def _note_laws(curve: Curve) -> list[Note]:
    notes = []
    for law in curve.laws:
        # What does not depend on the variable at all needs no law.
        if law.figure == "params" and not law.sizes:
            continue
        notes.append(
            Note(
                text="{model}: {law}. Exact on all {counted} counted points ({domain}): found from {fitted}, "
                "held against the other {verified}.",
                figures={
                    "model": Figure("text", curve.model),
                    "law": Figure("text", describe_law(law, curve)),
                    "counted": Figure("count", law.fitted + law.verified),
                    "domain": Figure("text", format_domain(law)),
                    "fitted": Figure("count", law.fitted),
                    "verified": Figure("count", law.verified),
                },
                qualifies=True,
            )
        )
    return notes


def _note_points(curve: Curve) -> list[Note]:
    notes = []
    if curve.size_option:
        notes.append(
            Note(
                text="{model} was built for each side, by its option {option}.",
                figures={"model": Figure("text", curve.model), "option": Figure("text", curve.size_option)},
            )
        )
    lacking = [point for point in curve.points if point.uncounted]
    if lacking:
        notes.append(
            Note(
                text="{model} is counted without these ops, for which there is no rule: {ops}.",
                figures={
                    "model": Figure("text", curve.model),
                    "ops": Figure("text", list_uncounted_ops(lacking[0].uncounted)),
                },
            )
        )
    if curve.left:
        notes.append(
            Note(
                text="{model} was interrupted: {left} " + f"{pluralize('value', curve.left)} not counted.",
                figures={"model": Figure("text", curve.model), "left": Figure("count", curve.left)},
            )
        )
    return notes


def _note_hidden(points: int, hidden: int) -> tuple[Note, ...]:
    return (
        Note(
            text="{shown} of {points} points are shown; --all shows every one, as JSON and CSV do.",
            figures={"shown": Figure("count", points - hidden), "points": Figure("count", points)},
            audience="people",
        ),
    )
