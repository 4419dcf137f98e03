"""What a time means, on numbers that can be followed by hand."""

import pytest
import torch
from msgspec.structs import replace
from torch import nn

import resflops
from resflops.errors import SchemaError
from resflops.latency import Configuration, Effort, Environment, Measurements, Round, Row, Series
from resflops.latency.failures import Failure
from resflops.latency.machine import TF32_CONVOLUTIONS, TF32_PRODUCTS
from resflops.latency.measurements import Attribution, Energy, LayerTime, Part, Run, Workload
from resflops.latency.peaks import Peak, Probe
from resflops.latency.roofline import analyze_roofline
from resflops.latency.series import Comparison, Reading, compare_times
from resflops.latency.statistics import Ratio
from resflops.latency.workload import summarize_workload
from resflops.tables.layer_times import build_layer_time_table

ENVIRONMENT = Environment(
    resflops="1", python="3.11", torch="2.15", system="Linux", cpu="Some CPU", cores=4, threads=4
)


def series(*seconds):
    return Series(rounds=tuple(Round(wall=(each,) * 10) for each in seconds))


def peaks(flops, bandwidth, dtype="float32"):
    matmul, copy = Probe(kind="matmul", dtype=dtype, size=100), Probe(kind="copy", dtype="uint8", size=500)
    return (
        Peak(probe=matmul, series=series(matmul.work / flops)),
        Peak(probe=copy, series=series(copy.work / bandwidth)),
    )


def workload(*parts):
    return Workload(
        macs=sum(part.macs for part in parts),
        params=10,
        weight_elements=10,
        activation_elements=20,
        parts=parts,
    )


def measured(row, *, flops=1000.0, bandwidth=100.0, dtype="float32"):
    return Measurements(
        environment=ENVIRONMENT, effort=Effort(), rows=(row,), peaks=peaks(flops, bandwidth, dtype)
    )


def test_a_peak_is_the_work_over_the_fastest_time():
    matmul, copy = peaks(1000.0, 100.0)
    assert (matmul.probe.work, copy.probe.work) == (2_000_000, 1000)
    assert (matmul.per_second, copy.per_second) == (pytest.approx(1000.0), pytest.approx(100.0))


def test_the_roofline_op_by_op():
    # Float32: the first op needs 200 / 1000 s for its operations and 40 / 100 s for its bytes, the second
    # 2000 / 1000 s and 4 / 100 s.
    row = Row(
        configuration=Configuration(model="x", device="cpu", batch=4),
        workload=workload(Part(100, 10), Part(1000, 1)),
        series=series(5.0, 5.0),
    )
    found = analyze_roofline(row, measured(row))
    assert found.flops_per_second == 2 * 1100 / 5.0
    assert found.of_peak == pytest.approx(0.44)
    assert found.items_per_second == 4 / 5.0
    assert found.least_bytes == 44
    assert found.intensity == 2200 / 44
    assert found.ridge == pytest.approx(10.0)
    assert found.roof_seconds == pytest.approx(0.4 + 2.0)
    assert found.memory_part == pytest.approx(0.4 / 2.4)
    assert found.roof == "compute"


def test_half_the_bytes_take_half_the_time():
    row = Row(
        configuration=Configuration(model="x", device="cpu", dtype="bfloat16"),
        workload=workload(Part(1, 100)),
        series=series(1.0),
    )
    found = analyze_roofline(row, measured(row, dtype="bfloat16"))
    assert (found.least_bytes, found.roof, found.roof_seconds) == (200, "memory", pytest.approx(2.0))


def test_autocast_reads_weights_in_float32_and_casts_them_at_each_step():
    """Before, they were moved as two bytes each."""
    configuration = Configuration(model="x", device="cpu", dtype="bfloat16", autocast=True)
    row = Row(configuration=configuration, workload=workload(Part(1, 100, weights=30)), series=series(1.0))
    # All 100 as two bytes, and 30 of them read as four and written as two before.
    assert analyze_roofline(row, measured(row, dtype="bfloat16")).least_bytes == 200 + 30 * (4 + 2)
    plain = replace(row, configuration=replace(configuration, autocast=False))
    assert analyze_roofline(plain, measured(plain, dtype="bfloat16")).least_bytes == 200


class Transposing(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5, 4))

    def forward(self, rows):
        return rows @ self.weight.t() @ rows.new_zeros(5, 2)


@pytest.mark.parametrize(
    ("module", "shape", "weights"),
    [
        (nn.Linear(4, 3), (2, 4), [12]),
        (nn.Conv2d(3, 2, 3), (1, 3, 8, 8), [2 * 3 * 3 * 3]),
        # A view of a parameter is the parameter, and a product of two activations has none.
        (Transposing(), (2, 4), [20, 0]),
    ],
)
def test_weights_are_told_from_activations(module, shape, weights):
    assert [part.weights for part in summarize_workload(resflops.count(module, shape)).parts] == weights


def test_what_is_not_known_is_not_made_up():
    bare = Row(configuration=Configuration(model="x", device="cpu"), series=series(1.0))
    found = analyze_roofline(bare, measured(bare))
    assert (found.seconds, found.flops_per_second, found.roof) == (1.0, None, None)
    incomplete = replace(bare, workload=replace(workload(Part(1, 1)), complete=False))
    assert analyze_roofline(incomplete, measured(incomplete)).flops_per_second is None
    other_dtype = replace(bare, workload=workload(Part(1, 1)))
    assert analyze_roofline(other_dtype, measured(other_dtype, dtype="float16")).of_peak is None
    assert analyze_roofline(Row(configuration=bare.configuration), measured(bare)) is None


def test_a_training_step_counts_both_passes_and_has_no_roof():
    row = Row(
        configuration=Configuration(model="x", device="cpu", training=True),
        workload=replace(workload(Part(100, 10)), backward_macs=200),
        series=series(1.0),
    )
    found = analyze_roofline(row, measured(row))
    assert (found.flops_per_second, found.roof, found.least_bytes) == (600.0, None, None)


def test_energy_is_of_one_input():
    row = Row(
        configuration=Configuration(model="x", device="cuda", batch=8),
        series=series(1.0),
        energy=Energy(joules=160.0, seconds=4.0, steps=10),
    )
    assert analyze_roofline(row, measured(row)).joules_per_item == 2.0


def test_the_gpus_time_is_the_devices_where_there_is_one():
    both = Series(rounds=(Round(wall=(3.0,) * 10, gpu=(2.0,) * 10),))
    assert (both.time.median, both.wall.median, both.gpu.median) == (2.0, 3.0, 2.0)
    assert series(3.0).time.median == 3.0
    assert Series().time is None
    assert Series().verdict is None


def test_throttling_while_samples_were_taken_is_in_the_verdict():
    calm = Round(wall=(1.0,) * 10, before=Reading(throttle=("power cap",)))
    held = replace(calm, during=Reading(throttle=("thermal, by software",)))
    assert Series(rounds=(calm,)).verdict.stable
    assert Series(rounds=(calm, held)).verdict.describe() == "steady; throttled (thermal, by software)"


def test_a_power_cap_is_a_note_and_no_finding():
    capped = Series(rounds=(Round(wall=(1.0,) * 10, during=Reading(throttle=("power cap",))),))
    assert (capped.capped, capped.throttled, capped.verdict.stable) == (True, (), True)


def test_a_round_with_a_slow_clock_is_found():
    rounds = [
        Round(wall=(1.0,) * 5, during=Reading(sm_clock_mhz=clock)) for clock in (1980, 1975, 1400, 1980)
    ]
    assert Series(rounds=tuple(rounds)).verdict.describe() == "steady; clock far below the others in 1 round"


def test_the_workload_is_the_counts():
    cost = resflops.count(resflops.load("resnet34"), (2, 3, 224, 224), backward=True)
    found = summarize_workload(cost)
    assert found.macs == 2 * 3_663_761_408
    assert found.backward_macs == 2 * 7_209_508_864
    assert found.step_macs == found.macs + found.backward_macs
    assert found.weight_elements == 21_797_672 + 17_060
    assert sum(part.macs for part in found.parts) == found.macs == sum(found.layer_macs.values())
    assert found.layer_macs["conv1"] == 2 * 118_013_952
    # The first convolution reads two images and its weight and writes 2·64·112·112.
    assert found.parts[0].elements == 2 * 3 * 224 * 224 + 64 * 3 * 7 * 7 + 2 * 64 * 112 * 112


def test_measurements_go_to_json_and_back(tmp_path):
    row = Row(
        configuration=Configuration(model="x", device="cuda", mode="cuda-graph"),
        workload=workload(Part(3, 4)),
        series=Series(
            rounds=(
                Round(
                    wall=(0.1, 0.2),
                    gpu=(0.05, 0.06),
                    during=Reading(power_watts=3.5, throttle=("power cap",)),
                ),
            ),
            failure=Failure(kind="out of memory", message="later"),
            peak_bytes=7,
            notes=("noted",),
        ),
        energy=Energy(joules=1.5, seconds=3.0, steps=4),
    )
    whole = replace(measured(row), runs=(Run(started="2026-11-22T00:00:00+00:00", command="resflops bench"),))
    whole.save(tmp_path / "m.json")
    assert Measurements.load(tmp_path / "m.json") == whole
    assert Measurements.load(tmp_path / "m.json").find_row(row.configuration) == row


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not a measurements file of resflops"),
        (
            '{"kind": "trace", "schema_version": 1}',
            "is not a measurements file of resflops: it is a trace file",
        ),
        ('{"kind": "measurements", "schema_version": 99}', "schema version 99"),
        ('{"kind": "measurements", "schema_version": 1}', "damaged measurements"),
    ],
)
def test_other_files_are_refused(tmp_path, text, says):
    file = tmp_path / "m.json"
    file.write_text(text)
    with pytest.raises(SchemaError, match=says):
        Measurements.load(file)


def test_differences_between_environments_are_named():
    other = replace(ENVIRONMENT, torch="2.14", flags={"oneDNN": "off"})
    assert ENVIRONMENT.find_differences(ENVIRONMENT) == []
    assert ENVIRONMENT.find_differences(other) == ["torch 2.15 against 2.14", "oneDNN not set against off"]


@pytest.mark.parametrize(
    ("marked", "trusted"), [(0.29, False), (0.9, True), (1.0, True), (1.3, True), (1.31, False)]
)
def test_layers_are_shown_only_where_a_step_takes_as_long_with_marks_as_without(marked, trusted):
    found = Attribution(
        layers=(LayerTime(name="conv", seconds=marked),), seconds=marked, plain_seconds=1.0, repetitions=3
    )
    assert found.trustworthy is trusted
    row = Row(
        configuration=Configuration(model="x", device="cpu"),
        workload=workload(Part(3, 4)),
        series=Series(rounds=(Round(wall=(1.0,) * 10),)),
        attribution=found,
    )
    table = build_layer_time_table([measured(row)])
    assert len(table.hidden) == (0 if trusted else len(table.rows))
    assert ("no times of layers are shown" in table.notes[0].text) is not trusted


def test_times_of_unlike_runs_are_not_paired():
    one = Series(rounds=tuple(Round(wall=(float(number),) * 3, run=0) for number in (4, 8)))
    turned = Series(rounds=tuple(Round(wall=(float(number),) * 3, run=0) for number in (1, 2)))
    later = Series(rounds=tuple(Round(wall=(float(number),) * 3, run=1) for number in (1, 2)))
    assert compare_times(one, turned) == Comparison(ratio=Ratio(value=4.0, low=4.0, high=4.0), in_turns=True)
    apart = compare_times(one, later)
    assert (apart.in_turns, apart.ratio.value) == (False, 4.0)
    assert apart.ratio.low < 4.0 < apart.ratio.high
    assert compare_times(one, Series()) is None


TF32_ON = {TF32_PRODUCTS: "off", TF32_CONVOLUTIONS: "on"}


def test_ops_are_set_beside_the_peak_of_what_they_are_computed_in():
    """By default a GPU computes convolutions in TF32 and matrix products in IEEE float32."""
    peaks = (
        peak_of("matmul", 50.0),
        peak_of("matmul", 400.0, precision="TF32"),
        peak_of("3×3 convolution", 500.0, precision="TF32"),
        Peak(probe=Probe(kind="copy", dtype="uint8", size=50), series=Series(rounds=(Round(wall=(1.0,)),))),
    )
    row = Row(
        configuration=Configuration(model="x", device="cuda"),
        workload=workload(Part(1000, 4, convolution=True), Part(100, 4)),
        series=Series(rounds=(Round(wall=(10.0,) * 10),)),
    )
    found = replace(measured(row), peaks=peaks)
    environment = replace(found.environment, flags=TF32_ON)
    by_precision = analyze_roofline(row, replace(found, environment=environment))
    # 2·1000/500 + 2·100/50 = 8 s at the peaks, of 10.
    assert by_precision.of_peak == pytest.approx(0.8)
    assert by_precision.roof_seconds == pytest.approx(8.0)
    all_ieee = replace(found.environment, flags={TF32_PRODUCTS: "off", TF32_CONVOLUTIONS: "off"})
    assert analyze_roofline(row, replace(found, environment=all_ieee)).of_peak == pytest.approx(4.4)


def peak_of(kind, per_second, *, precision=""):
    probe = Probe(kind=kind, dtype="float32", size=1, precision=precision)
    return Peak(probe=probe, series=Series(rounds=(Round(wall=(probe.work / per_second,)),)))


@pytest.mark.parametrize(
    ("kind", "size", "work"),
    [
        ("matmul", 10, 2 * 10**3),
        ("1×1 convolution", 3, 2 * 3 * 56 * 56 * 256 * 256),
        ("3×3 convolution", 3, 2 * 3 * 56 * 56 * 256 * 256 * 9),
        ("copy", 10, 20),
    ],
)
def test_the_work_of_a_probe_is_what_it_does(kind, size, work):
    assert Probe(kind=kind, dtype="float32", size=size).work == work
    if "convolution" in kind:
        side = int(kind[0])
        module = nn.Conv2d(256, 256, side, padding=side // 2, bias=False, device="meta")
        assert 2 * resflops.count(module, (size, 256, 56, 56)).macs == work


@pytest.mark.parametrize(
    ("dtype", "moved"),
    [("float32", 4 * 100), ("int8-dynamic", 40 + 4 * 60), ("int8-static", 100), ("bfloat16", 200)],
)
def test_an_op_moves_its_weight_and_its_activations_each_in_their_size(dtype, moved):
    part = Part(1000, 100, weights=40)
    row = Row(
        configuration=Configuration(model="x", device="cpu", dtype=dtype, backend="onnxruntime"),
        workload=workload(part),
        series=series(1.0),
    )
    found = analyze_roofline(row, measured(row))
    assert found.least_bytes == moved
    # A peak is of what torch computes in, and torch computes in no int8.
    assert (found.of_peak is None) == (dtype != "float32")


def test_layers_that_a_backend_has_fused_have_the_multiply_accumulates_of_all():
    attribution = Attribution(
        layers=(
            LayerTime(name="conv + relu", seconds=3.0, fused=("conv", "relu")),
            LayerTime(name="head", seconds=1.5),
            LayerTime(name="head + act", seconds=0.5, fused=("head", "act")),
        ),
        seconds=5.0,
        plain_seconds=5.0,
        repetitions=3,
    )
    row = Row(
        configuration=Configuration(model="x", device="cpu", backend="onnxruntime"),
        workload=replace(workload(Part(100, 10)), layer_macs={"conv": 75, "relu": 0, "head": 25, "act": 0}),
        series=series(5.0),
        attribution=attribution,
    )
    table = build_layer_time_table([measured(row)])
    assert {cells["layer"]: (cells["macs"], cells["share_of_time"]) for cells in table.rows} == {
        "conv + relu": (75, 0.6),
        "head": (25, 0.3),
        "head + act": (0, 0.1),
    }


def test_backends_that_only_one_run_used_are_no_difference():
    one = replace(ENVIRONMENT, backends={"onnxruntime": {"version": "1.32"}})
    other = replace(ENVIRONMENT, backends={"onnxruntime": {"version": "1.20"}, "openvino": {"version": "26"}})
    assert one.find_differences(ENVIRONMENT) == []
    assert one.find_differences(other) == ["onnxruntime version 1.32 against 1.20"]
