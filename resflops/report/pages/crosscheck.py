"""What other counters count, and why, with the way from ours to theirs for one model."""

from collections.abc import Iterator

from msgspec.structs import replace

from resflops.crosschecking.reconciliation import CrossCheck, Reconciliation
from resflops.report.context import Context
from resflops.report.crosscheck_tables import (
    build_difference_tables,
    build_explained_table,
    build_missed_attention_tables,
    build_remainder_table,
)
from resflops.report.environment import Versions
from resflops.report.markdown import fill, show
from resflops.report.page import Document, Page
from resflops.report.picture import Picture
from resflops.report.pictures import waterfall
from resflops.tables.crosscheck import build_crosscheck_table

__all__ = ["PAGE", "build_document", "build_waterfall"]

PATH = "crosscheck.md"
DATA = "crosscheck.json"

LINE_UP = "resnet34"
"""The model whose figures are explained in full."""


def build_waterfall(rows: tuple[Reconciliation, ...]) -> waterfall.Waterfall:
    """Build the picture's data: the figures of one model, each with its causes and its remainder."""
    return waterfall.Waterfall(
        model=rows[0].model,
        macs=rows[0].macs,
        peers=tuple(
            waterfall.Steps(
                peer=row.convention, figure=row.figure, times=row.per_mac, steps=_build_steps(row)
            )
            for row in rows
            if row.figure is not None
        ),
    )


def _build_steps(row: Reconciliation) -> tuple[waterfall.Step, ...]:
    causes = [waterfall.Step(name=cause.name, amount=cause.amount) for cause in row.causes if cause.amount]
    rest = [waterfall.Step(name="unexplained", amount=row.unexplained)] if row.unexplained else []
    return (*causes, *rest)


def build_document(results: CrossCheck, *, made_with: Versions) -> Document:
    """Build the page, every number of it from the results.

    Args:
        results: the results of the full matrix; parts without models are left out.
        made_with: the versions that the foot of the page names.
    """
    rows = results.rows
    lined_up = tuple(row for row in rows if row.model == LINE_UP)
    pictures = tuple(_build_pictures(lined_up))
    values = {
        "environment": [f"{name} {value}" for name, value in results.environment.items()],
        "versions": list(dict.fromkeys(f"{row.peer} {row.version}" for row in rows if row.version)),
        "pictures": [show(picture, path=PATH) for picture in pictures],
        "explained": build_explained_table(rows),
        "remainders": build_remainder_table(rows),
        "failures": [row for row in rows if row.failure],
        "lined_up": LINE_UP,
        "figures": build_crosscheck_table(replace(results, rows=lined_up)) if lined_up else None,
        "missed": build_missed_attention_tables(rows),
        "differences": build_difference_tables(rows),
    }
    text = fill("crosscheck.md.jinja", values, made_with=made_with)
    return Document(path=PATH, text=text, pictures=pictures)


def _build_pictures(rows: tuple[Reconciliation, ...]) -> Iterator[Picture]:
    if any(row.figure is not None for row in rows):
        yield Picture(
            name="waterfall",
            data=build_waterfall(rows),
            draw=waterfall.draw,
            alt=f"For every counter the steps from our multiply-accumulates of {LINE_UP} to its figure; "
            "the numbers stand in the table of that model on this page.",
        )


def _build(context: Context) -> tuple[Document, ...]:
    (path,) = context.data(DATA)
    return (build_document(CrossCheck.load(path), made_with=context.environment),)


PAGE = Page(
    path=PATH,
    title="Every counter against ours",
    summary="what other counters report for the same networks, and every difference broken down into its "
    "causes",
    build=_build,
    data=DATA,
    command="python tests/benchmarks/crosscheck_matrix.py reports/data/crosscheck.json",
)
