"""Predicted beside measured times of networks that were held out, and beside what simple rules predict."""

from resflops.latency.prediction.quality import RULES, Predictions, Rule
from resflops.latency.statistics import CONFIDENCE
from resflops.tables.table import Column, Figure, Kind, Note, Table
from resflops.tables.table import Row as Cells

__all__ = ["build_prediction_quality_table"]

KEYS: dict[Rule, str] = {"profile": "error", "MACs": "macs_error", "roofline": "roofline_error"}


def build_prediction_quality_table(predictions: Predictions) -> Table:
    """Build a row for each network that was held out, in the order in which they were timed."""
    errors = {rule: predictions.list_errors(rule) for rule in RULES}
    rows: tuple[Cells, ...] = tuple(
        {
            "model": row.model,
            "batch": row.batch,
            "measured_seconds": row.measured,
            "half_width": row.half_width,
            "predicted_seconds": row.predicted,
            **{KEYS[rule]: errors[rule][place] for rule in RULES},
            "macs": row.macs,
            "roof_seconds": row.roof_seconds,
        }
        for place, row in enumerate(predictions.rows)
    )
    return Table(
        name="held_out",
        title=f"Predicted and measured latency of {len(rows)} networks that were held out, "
        f"on {predictions.environment.device}",
        facts={
            "rules": {
                rule: {
                    "median_error": predictions.find_median_error(rule),
                    "rank_correlation": predictions.find_rank_correlation(rule),
                }
                for rule in RULES
            }
        },
        columns=(
            Column(key="model", heading="model"),
            Column(key="batch", heading="batch", kind="count"),
            *_build_columns(
                ("measured_seconds", "measured", "seconds"),
                ("half_width", "±", "share"),
                ("predicted_seconds", "predicted", "seconds"),
                ("error", "error", "signed share"),
                ("macs_error", "by MACs", "signed share"),
                ("roofline_error", "by the roofline", "signed share"),
            ),
            Column(key="macs", audience="programs", kind="count"),
            Column(key="roof_seconds", audience="programs", kind="seconds"),
        ),
        rows=rows,
        notes=(
            *(
                _note_rule(predictions, rule)
                for rule in RULES
                if predictions.find_median_error(rule) is not None
            ),
            _note_origin(predictions),
        ),
    )


def _build_columns(*columns: tuple[str, str, Kind]) -> tuple[Column, ...]:
    return tuple(Column(key=key, heading=heading, kind=kind) for key, heading, kind in columns)


WORDS: dict[Rule, str] = {
    "profile": "Predicted from the profile",
    "MACs": "By MACs alone, at the pace that suits these networks best",
    "roofline": "By the roofline time",
}


def _note_rule(predictions: Predictions, rule: Rule) -> Note:
    return Note(
        text=f"{WORDS[rule]}: median error {{error}}, rank correlation (Spearman) {{correlation}}.",
        figures={
            "error": Figure("share", predictions.find_median_error(rule)),
            "correlation": Figure("rate", predictions.find_rank_correlation(rule)),
        },
        qualifies=True,
    )


def _note_origin(predictions: Predictions) -> Note:
    return Note(
        text="None of these networks was run for the profile, which has {ops} single ops ({profiled}); they "
        "were timed afterwards ({started}), in turns. ± is half of the interval that holds the median with "
        "{confidence} confidence.",
        figures={
            "ops": Figure("count", predictions.ops),
            "profiled": Figure("text", predictions.profiled),
            "started": Figure("text", predictions.started),
            "confidence": Figure("share", CONFIDENCE),
        },
    )
