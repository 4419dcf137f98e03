"""How well times are predicted without running a network: a table for each file of networks held out."""

from resflops.latency.prediction.quality import Predictions
from resflops.report.context import Context
from resflops.report.markdown import fill
from resflops.report.page import Document, Page
from resflops.tables.prediction_quality import build_prediction_quality_table

__all__ = ["PAGE"]

PATH = "prediction.md"
PREDICTIONS = "prediction-*.json"


def _build(context: Context) -> tuple[Document, ...]:
    stored = [Predictions.load(file) for file in context.data(PREDICTIONS)]
    values = {
        "machines": [
            {
                "device": each.environment.device,
                "number": len(each.rows),
                "batch": each.rows[0].batch,
                "command": each.command,
                "errors": {rule: each.find_median_error(rule) for rule in ("profile", "MACs", "roofline")},
                "ranks": {rule: each.find_rank_correlation(rule) for rule in ("profile", "MACs", "roofline")},
                "table": build_prediction_quality_table(each),
            }
            for each in stored
        ]
    }
    text = fill("prediction.md.jinja", values, made_with=context.environment)
    return (Document(path=PATH, text=text),)


PAGE = Page(
    path=PATH,
    title="Time without running",
    summary="how far times that are predicted from a profile of single ops are off, on networks that the "
    "profile has not seen",
    build=_build,
    data=PREDICTIONS,
    command="python tests/benchmarks/prediction.py --save reports/data/prediction-NAME.json",
)
