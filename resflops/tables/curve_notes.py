"""What is said under a table of curves: the laws, what follows none, what was refused."""

from collections.abc import Iterable, Sequence

from resflops.errors import pluralize
from resflops.sweeps.curves.law import Law, format_domain, format_law, format_number
from resflops.sweeps.curves.records import Curve, Lawless, Point
from resflops.tables.table import Figure, Note, format_cost_heading, list_uncounted_ops

__all__ = [
    "describe_law",
    "describe_proof",
    "list_told_laws",
    "name_figure",
    "note_lawless",
    "note_laws",
    "note_points",
]

MOST_LAYERS = 6
"""Layers that a note names."""

LEAST_POINTS = 3
"""Fewer points show no law, whichever it is."""

FEW_POINTS = 8
"""With so many points or fewer, more of them may well show a law."""


def name_figure(figure: str, curve: Curve) -> str:
    """Name a figure of a curve as its column does."""
    heading = format_cost_heading(curve.convention)
    return {"total": heading, "backward": f"{heading} of the backward pass", "params": "params"}[figure]


def describe_law(law: Law, curve: Curve) -> str:
    """Write a law as an equation."""
    return f"{name_figure(law.figure, curve)} = {format_law(law)}"


def describe_proof(law: Law) -> str:
    """Say what a law was held against."""
    return (
        f"exact on all {law.fitted + law.verified:,} counted points ({format_domain(law)}): found from "
        f"{law.fitted:,}, held against {law.verified:,} {pluralize('other', law.verified)}"
    )


def list_told_laws(curve: Curve) -> list[Law]:
    """List the laws that say something: parameters that are the same everywhere need none."""
    return [law for law in curve.laws if law.figure != "params" or law.sizes or law.period > 1]


def note_laws(curve: Curve) -> list[Note]:
    """Note the law of each figure that varies."""
    return [
        Note(
            text="{model}: {law}, {proof}.",
            figures={
                "model": Figure("text", curve.model),
                "law": Figure("text", describe_law(law, curve)),
                "proof": Figure("text", describe_proof(law)),
            },
            qualifies=True,
        )
        for law in list_told_laws(curve)
    ]


def note_lawless(curve: Curve) -> list[Note]:
    """Note the figures for which no law was found."""
    if curve.lawless and len(curve.counted) < LEAST_POINTS:
        return [
            Note(
                text="{model}: a law is found from some points and held against others; give more values.",
                figures={"model": Figure("text", curve.model)},
                audience="people",
            )
        ]
    return [_note_lawless(each, curve) for each in curve.lawless]


def _note_lawless(lawless: Lawless, curve: Curve) -> Note:
    counted = len(curve.counted)
    text = "{model}: the {figure} of {counted} " + pluralize("point", counted)
    text += (
        " follow no law that was looked for: no polynomial in {variable}, in sizes such as ⌈{variable}/2⌉, "
    )
    text += "or for each remainder"
    text += "; what does not is the cost of {layers}" if lawless.layers else ""
    text += ". More values may show one" if counted <= FEW_POINTS else ""
    return Note(
        text=f"{text}.",
        figures={
            "model": Figure("text", curve.model),
            "figure": Figure("text", name_figure(lawless.figure, curve)),
            "counted": Figure("count", counted),
            "variable": Figure("text", curve.variable),
            "layers": Figure("text", _list_layers(lawless.layers)),
        },
        qualifies=True,
    )


def _list_layers(layers: Sequence[str]) -> str:
    named = [layer or "the model itself" for layer in layers[:MOST_LAYERS]]
    more = len(layers) - len(named)
    return ", ".join(named) + (f" and {more:,} more layers" if more else "")


def note_points(curve: Curve, *, shown: bool) -> list[Note]:
    """Note how the points were counted, which were not, and why.

    Args:
        curve: of a model.
        shown: whether the reader is shown all points, and so what was refused.
    """
    notes = []
    model = Figure("text", curve.model)
    if curve.size_option:
        option = Figure("text", curve.size_option)
        notes.append(
            Note(
                text="{model} was built for each side, by its option {option}.",
                figures={"model": model, "option": option},
            )
        )
    refused = [point for point in curve.points if point.error]
    if refused and not shown:
        notes.append(_note_refused(refused, curve))
    lacking = next((point for point in curve.points if point.uncounted), None)
    if lacking is not None:
        ops = Figure("text", list_uncounted_ops(lacking.uncounted))
        notes.append(
            Note(
                text="{model} is counted without these ops, for which there is no rule: {ops}.",
                figures={"model": model, "ops": ops},
                qualifies=True,
            )
        )
    if curve.left:
        left = Figure("count", curve.left)
        text = "{model} was interrupted: {left} " + f"{pluralize('value', curve.left)} not counted."
        notes.append(Note(text=text, figures={"model": model, "left": left}))
    return notes


def _note_refused(refused: Sequence[Point], curve: Curve) -> Note:
    text = "{model} refuses {refused} of {points} values ({values})"
    text += "; the first: {reason}" if len(refused) > 1 else ": {reason}"
    return Note(
        text=text,
        figures={
            "model": Figure("text", curve.model),
            "refused": Figure("count", len(refused)),
            "points": Figure("count", len(curve.points)),
            "values": Figure("text", _list_values(refused)),
            "reason": Figure("text", refused[0].error),
        },
    )


def _list_values(points: Iterable[Point]) -> str:
    """List the first values of some points."""
    values = [format_number(point.value) for point in points]
    return ", ".join(values[:MOST_LAYERS]) + (", …" if len(values) > MOST_LAYERS else "")
