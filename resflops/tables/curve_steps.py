"""Where a cost rises in steps: the sizes that step, and the largest steps between counted points."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import islice

from resflops.sweeps.curves.law import Law, format_size, format_terms
from resflops.sweeps.curves.records import Curve, Step
from resflops.sweeps.curves.sizes import Size
from resflops.tables.table import Column, Figure, Note, Row, Table, format_cost_heading, show_people_if

__all__ = ["build_size_table", "build_step_table", "has_steps"]

SHOWN_STEPS = 8
"""How many of the largest steps of a model people are shown; programs get all."""

TOLD_STEPS = 3
"""How many values at which a size steps are told."""


def has_steps(curve: Curve) -> bool:
    """Whether a cost stays the same over some values and jumps at others, or follows no law at all."""
    law = curve.law
    if law is None:
        return len(curve.steps) > 1
    return any(_is_stepping(size, law) for size in law.sizes)


def _is_stepping(size: Size, law: Law) -> bool:
    return size.divisor > 1 and law.stride % size.divisor != 0


def build_size_table(curves: Sequence[Curve]) -> Table:
    """Build the table of the sizes that the laws of the costs are made of, with where each steps."""
    rows = tuple(
        row
        for curve in curves
        if curve.law is not None and has_steps(curve)
        for row in _build_sizes(curve, curve.law)
    )
    last = curves[0].points[-1].value
    return Table(
        name="sizes",
        title="Sizes that step",
        label="curve-sizes",
        columns=(
            _build_model_column(curves),
            Column(key="size", heading="size"),
            Column(key="steps_at", heading="steps at"),
            Column(key="every", heading="every", kind="count"),
            Column(key="terms", heading="terms", wraps=True),
            Column(key="cost", heading="cost at the last point", kind="quotient", audience="programs"),
            Column(key="share", heading=f"share at {last}", kind="share"),
        ),
        rows=rows,
    )


def _build_sizes(curve: Curve, law: Law) -> list[Row]:
    whole = law.evaluate(law.last)
    rows: list[Row] = []
    for size in law.sizes:
        terms = tuple(term for term in law.pieces[0] if any(each.size == size for each in term.factors))
        cost = sum((term.evaluate(law.last) for term in terms), Fraction(0))
        rows.append(
            {
                "model": curve.model,
                "size": format_size(size, law),
                "steps_at": _list_steps(size, law),
                "every": _find_period(size, law),
                "terms": format_terms(terms, law),
                "cost": cost,
                "share": float(cost / whole) if whole else 0.0,
            }
        )
    return rows


def _list_steps(size: Size, law: Law) -> str:
    """List the first counted values at which a size is larger than at the one before.

    >>> law = Law(figure="total", variable="side", pieces=(), fitted=3, verified=2, first=32, last=512)
    >>> _list_steps(Size(32, 31), law)
    '33, 65, 97, …'
    """
    stride = int(law.stride)
    values = range(int(law.first), int(law.last) + 1, stride or 1)
    steps = (value for value in values[1:] if size.evaluate(value) != size.evaluate(value - stride))
    told = [f"{step:,}" for step in islice(steps, TOLD_STEPS)]
    return ", ".join([*told, *(["…"] if next(steps, None) is not None else [])])


def _find_period(size: Size, law: Law) -> int | None:
    """Find after how much a size steps again; None if that is not always the same on the counted values.

    >>> law = Law(figure="total", variable="n", pieces=(), fitted=3, verified=2, first=4, last=64, stride=4)
    >>> [_find_period(size, law) for size in (Size(2), Size(16, 15), Size(6))]
    [4, 16, None]
    """
    short, long = sorted((size.divisor, int(law.stride)))
    return long if long % max(short, 1) == 0 else None


def build_step_table(curves: Sequence[Curve]) -> Table:
    """Build the table of the largest steps between two counted points, for the models that have steps."""
    stepping = [curve for curve in curves if has_steps(curve)]
    rows: list[Row] = []
    hidden: list[int] = []
    for curve in stepping:
        ordered = sorted(curve.steps, key=lambda step: (-abs(step.rise), step.value))
        hidden += range(len(rows) + SHOWN_STEPS, len(rows) + len(ordered))
        rows += (_build_step(curve, step) for step in ordered)
    return Table(
        name="steps",
        title="Largest steps",
        label="curve-steps",
        columns=(
            _build_model_column(curves),
            Column(key="before", heading="from", kind="quotient"),
            Column(key="value", heading="to", kind="quotient"),
            Column(key="rise", heading="rise", kind="signed", measures="cost"),
            Column(key="share", heading="of the cost before", kind="signed share"),
            Column(
                key="sizes", heading="what steps", kind="names", audience=show_people_if(_any_law(stepping))
            ),
        ),
        rows=tuple(rows),
        hidden=frozenset(hidden),
        notes=_note_levels(stepping),
        long=True,
    )


def _any_law(curves: Sequence[Curve]) -> bool:
    return any(curve.law is not None for curve in curves)


def _build_step(curve: Curve, step: Step) -> Row:
    law = curve.law
    before = next(point.total for point in curve.points if point.value == step.before)
    sizes = (
        []
        if law is None
        else [
            format_size(size, law)
            for size in law.sizes
            if size.evaluate(step.value) != size.evaluate(step.before)
        ]
    )
    return {
        "model": curve.model,
        "before": step.before,
        "value": step.value,
        "rise": step.rise,
        "share": step.rise / before if before else 0.0,
        "sizes": tuple(sizes),
    }


def _note_levels(curves: Sequence[Curve]) -> tuple[Note, ...]:
    """Note how often the cost steps, and how often it stays as it is."""
    return tuple(
        Note(
            text="{model}: from one counted value to the next, the {figure} change {steps} of {pairs} times.",
            figures={
                "model": Figure("text", curve.model),
                "figure": Figure("text", format_cost_heading(curve.convention)),
                "steps": Figure("count", len(curve.steps)),
                "pairs": Figure("count", len(curve.counted) - 1),
            },
        )
        for curve in curves
    )


def _build_model_column(curves: Sequence[Curve]) -> Column:
    return Column(key="model", heading="model", repeats=False, audience=show_people_if(len(curves) > 1))
