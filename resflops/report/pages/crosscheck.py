"""What other counters count, and why, with the way from ours to theirs for one model."""

from resflops.crosschecking.reconciliation import CrossCheck, Reconciliation
from resflops.report.context import Context
from resflops.report.crosscheck_markdown import LINE_UP, crosscheck_report
from resflops.report.markdown import Markdown, filled, shown
from resflops.report.page import Document, Page
from resflops.report.picture import Picture
from resflops.report.pictures import waterfall

__all__ = ["PAGE"]

PATH = "crosscheck.md"
DATA = "crosscheck.json"


def waterfall_of(rows: tuple[Reconciliation, ...]) -> waterfall.Waterfall:
    """The figures of one model, each with its causes and what is left over."""
    return waterfall.Waterfall(
        model=rows[0].model,
        macs=rows[0].macs,
        peers=tuple(
            waterfall.Steps(peer=row.convention, figure=row.figure, times=row.per_mac, steps=_steps(row))
            for row in rows
            if row.figure is not None
        ),
    )


def _steps(row: Reconciliation) -> tuple[waterfall.Step, ...]:
    causes = [waterfall.Step(name=cause.name, amount=cause.amount) for cause in row.causes if cause.amount]
    rest = [waterfall.Step(name="unexplained", amount=row.unexplained)] if row.unexplained else []
    return (*causes, *rest)


def _build(context: Context) -> tuple[Document, ...]:
    (path,) = context.data(DATA)
    results = CrossCheck.load(path)
    rows = tuple(row for row in results.rows if row.model == LINE_UP)
    pictures: tuple[Picture, ...] = ()
    if any(row.figure is not None for row in rows):
        pictures = (
            Picture(
                name="waterfall",
                data=waterfall_of(rows),
                draw=waterfall.draw,
                alt=f"For every counter the steps from our multiply-accumulates of {LINE_UP} to its figure; "
                "the numbers stand in the table of that model on this page.",
            ),
        )
    # The pictures stand before the first section, where a reader meets them.
    head, _, rest = crosscheck_report(results).partition("\n## ")
    values = {
        "head": Markdown(head.strip("\n")),
        "pictures": [shown(picture, path=PATH) for picture in pictures],
        "rest": Markdown("## " + rest.strip("\n")),
    }
    return (Document(path=PATH, text=filled("measured.md.jinja", context, values), pictures=pictures),)


PAGE = Page(
    path=PATH,
    title="Every counter against ours",
    summary="what other counters say of the same networks, and every difference taken apart into its causes",
    build=_build,
    data=DATA,
    command="python tests/benchmarks/crosscheck_matrix.py reports/data/crosscheck.json",
)
