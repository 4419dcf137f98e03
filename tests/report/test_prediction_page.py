"""The page of predictions says first how far they are off, and what simple rules would have said."""

from resflops.latency import Environment
from resflops.latency.prediction.quality import HeldOut, Predictions
from resflops.report.context import Context
from resflops.report.environment import read_versions
from resflops.report.pages.prediction import PAGE

ENVIRONMENT = Environment(
    resflops="1", python="3.11", torch="2.15", system="Linux", cpu="Some CPU", cores=2, threads=2
)


def held_out(model, measured, predicted, macs):
    return HeldOut(
        model=model, batch=1, measured=measured, half_width=0.02, predicted=predicted, macs=macs
    )  # fmt: skip


def test_the_errors_come_first(tmp_path):
    (tmp_path / "data").mkdir()
    Predictions(
        environment=ENVIRONMENT, command="python tests/benchmarks/prediction.py", started="2026-11-27",
        profiled="2026-11-27", ops=1000,
        rows=(
            held_out("a", 0.010, 0.011, 100),
            held_out("b", 0.020, 0.019, 400),
            held_out("c", 0.040, 0.040, 300),
        ),
    ).save(tmp_path / "data" / "prediction-some-cpu.json")  # fmt: skip
    (document,) = PAGE.build(Context(tmp_path, environment=read_versions()))
    lines = document.text.splitlines()
    # Errors of 10, 5 and 0 %; by MACs at 0.1 ms each: 0, 100 and 25 %, and c before b.
    assert lines[2].startswith(
        "**On Some CPU, 2 threads the times of 3 networks that were never run for it are predicted with a "
        "median error of 5.0 %** (rank correlation 1.000)."
    )
    assert "are off by 25.0 % (0.500)." in lines[2]
    assert "roofline time" not in document.text
    assert "| a | 1 | 10.0 ms | 2.0 % | 11.0 ms | +10.00 % |" in document.text
