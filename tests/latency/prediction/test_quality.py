"""Predictions beside times: errors and rank correlations, of the profile and of simple rules."""

import pytest
import scipy.stats
from msgspec.structs import replace

from resflops.errors import SchemaError
from resflops.latency.prediction.quality import HeldOut, Predictions, correlate_ranks
from resflops.tables.prediction_quality import build_prediction_quality_table


def hold_out(model: str, measured: float, predicted: float, macs: int, roof: float | None) -> HeldOut:
    return HeldOut(
        model=model, batch=1, measured=measured, half_width=0.01, predicted=predicted, macs=macs, roof_seconds=roof
    )  # fmt: skip


@pytest.fixture
def predictions(synthetic) -> Predictions:
    return Predictions(
        environment=synthetic.environment, command="prediction.py", started="2026-11-02", profiled="2026-11-01", ops=470,
        rows=(
            hold_out("one", 0.010, 0.011, 1000, 0.005),
            hold_out("two", 0.020, 0.016, 4000, 0.004),
            hold_out("three", 0.040, 0.040, 4000, None),
        ),
    )  # fmt: skip


def test_errors_are_relative_to_the_measured_time(predictions) -> None:
    assert predictions.list_errors("profile") == pytest.approx([0.1, -0.2, 0.0])
    # The median pace is the first's and the third's: 10 µs a MAC.
    assert predictions.list_errors("MACs") == pytest.approx([0.0, 1.0, 0.0])
    assert predictions.list_errors("roofline")[:2] == pytest.approx([-0.5, -0.8])
    assert predictions.list_errors("roofline")[2] is None
    assert [predictions.find_median_error(rule) for rule in ("profile", "MACs", "roofline")] == pytest.approx(
        [0.1, 0.0, 0.65]
    )


@pytest.mark.parametrize("pairs", [
    pytest.param([(1, 5), (2, 6), (3, 7)], id="alike"),
    pytest.param([(1, 7), (2, 6), (3, 5)], id="reversed"),
    pytest.param([(1, 5), (1, 6), (3, 6), (2, 9)], id="ties"),
])  # fmt: skip
def test_rank_correlation_is_spearmans(pairs) -> None:
    assert correlate_ranks(pairs) == pytest.approx(scipy.stats.spearmanr(pairs).statistic)


def test_values_that_are_all_equal_have_no_correlation() -> None:
    assert correlate_ranks([(1, 2), (1, 3)]) == 0.0


def test_they_go_to_a_file_and_make_the_same_table(predictions, tmp_path) -> None:
    predictions.save(tmp_path / "held-out.json")
    loaded = Predictions.load(tmp_path / "held-out.json")
    assert loaded == predictions
    table = build_prediction_quality_table(loaded)
    assert str(table) == str(build_prediction_quality_table(predictions))
    assert [row["error"] for row in table.rows] == pytest.approx([0.1, -0.2, 0.0])
    markdown = table.to_markdown()
    assert "Predicted from the profile: median error 10.0 %, rank correlation (Spearman) 1." in markdown
    assert "470 single ops" in markdown


def test_a_file_without_rows_is_damaged(predictions, tmp_path) -> None:
    replace(predictions, rows=()).save(tmp_path / "empty.json")
    with pytest.raises(SchemaError, match="damaged predictions file"):
        Predictions.load(tmp_path / "empty.json")
