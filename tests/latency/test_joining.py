"""What was measured apart is joined where it was measured alike."""

from msgspec.structs import replace

from resflops.latency import Configuration, Effort, Environment, Measurements, Round, Row, Series, joining
from resflops.latency.measurements import Energy, Run
from resflops.latency.peaks import Peak, Probe
from resflops.latency.series import compare_times

ENVIRONMENT = Environment(
    resflops="1", python="3.11", torch="2.15", system="Linux", cpu="Some CPU", cores=2, threads=2
)


def measured(*models, run=0, seconds=1.0, effort=None):
    series = Series(rounds=(Round(wall=(seconds,) * 3, run=run),))
    return Measurements(
        environment=ENVIRONMENT,
        effort=effort or Effort(),
        runs=tuple(Run(started=f"run {number}", command="resflops bench") for number in range(run + 1)),
        rows=tuple(
            Row(configuration=Configuration(model=name, device="cpu"), series=series) for name in models
        ),
        peaks=(Peak(probe=Probe(kind="matmul", dtype="float32", size=1), series=series),),
    )


def test_rows_keep_the_run_that_they_are_of():
    joined = joining.join(measured("a", "b"), measured("c", run=1))
    assert [row.configuration.model for row in joined.rows] == ["a", "b", "c"]
    assert [row.series.rounds[0].run for row in joined.rows] == [0, 0, 2]
    assert [run.started for run in joined.runs] == ["run 0", "run 0", "run 1"]
    first, _, last = joined.rows
    assert not compare_times(first.series, last.series).in_turns


def test_what_both_have_measured_is_of_the_first():
    joined = joining.join(measured("a", seconds=1.0), measured("a", seconds=2.0))
    (row,), (peak,) = joined.rows, joined.peaks
    assert row.series.rounds[0].wall == peak.series.rounds[0].wall == (1.0,) * 3


def test_energy_and_layers_are_of_the_one_that_has_them():
    def with_energy(joules, measurements):
        energy = Energy(joules=joules, seconds=1.0, steps=10.0)
        return replace(measurements, rows=tuple(replace(row, energy=energy) for row in measurements.rows))

    once, again = measured("a", seconds=1.0), with_energy(5.0, measured("a", seconds=2.0))
    (row,) = joining.join(once, again).rows
    assert (row.energy.joules, row.series.rounds[0].wall) == (5.0, (1.0,) * 3)
    (row,) = joining.join(with_energy(7.0, once), again).rows
    assert row.energy.joules == 7.0


def test_unlike_machines_and_samples_stay_apart():
    other = replace(measured("b"), environment=replace(ENVIRONMENT, cpu="Another"))
    longer = measured("c", effort=Effort(seconds=9.0))
    alike = measured("d", effort=Effort(rounds=99))
    found = joining.join_alike([measured("a"), other, longer, alike])
    assert [[row.configuration.model for row in each.rows] for each in found] == [["a", "d"], ["b"], ["c"]]


def test_what_is_known_of_backends_is_joined():
    one, other = (
        replace(measured(name), environment=replace(ENVIRONMENT, backends={name: {"version": "1"}}))
        for name in ("onnxruntime", "openvino")
    )
    assert joining.join(one, other).environment.backends.keys() == {"onnxruntime", "openvino"}
