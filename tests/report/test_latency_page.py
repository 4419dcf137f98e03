"""The page of measurements says what the columns say, and nothing where they are silent."""

import pytest
from msgspec.structs import replace

import resflops
from resflops.latency import Configuration, Effort, Environment, Measurements, Round, Row, Series
from resflops.latency.machine import Gpu
from resflops.latency.measurements import Energy, Run
from resflops.latency.peaks import Peak, Probe
from resflops.latency.series import Reading
from resflops.latency.workload import summarize_workload
from resflops.report.context import Context
from resflops.report.environment import read_versions
from resflops.report.pages.latency import PAGE, build_document
from resflops.report.paper_pair import compare_paper_pair

ENVIRONMENT = Environment(
    resflops="1", python="3.11", torch="2.15", system="Linux", cpu="Some CPU", cores=4, threads=4
)


@pytest.fixture(scope="module")
def workloads():
    return {
        name: summarize_workload(resflops.count(resflops.load(name), (1, 3, 224, 224)))
        for name in ("resnet34", "vgg19")
    }


def series(*seconds):
    return Series(rounds=tuple(Round(wall=(each,) * 10) for each in seconds))


def row(name, workloads, *seconds, **settings):
    configuration = Configuration(model=name, device="cpu", **settings)
    return Row(configuration=configuration, workload=workloads[name], series=series(*seconds))


def measured(*rows):
    probes = Probe(kind="matmul", dtype="float32", size=1000), Probe(kind="copy", dtype="uint8", size=10**9)
    return Measurements(
        environment=ENVIRONMENT,
        effort=Effort(),
        runs=(Run(started="2026-11-22T00:00:00+00:00", command="resflops bench --models resnet34 vgg19"),),
        rows=rows,
        peaks=tuple(Peak(probe=probe, series=series(probe.work / 1e11)) for probe in probes),
    )


def page(measurements):
    pair = compare_paper_pair(measurements)
    return build_document(
        measurements, pair, name="latency", path="latency.md", made_with=read_versions()
    ).text


def test_the_papers_comparison_in_macs_and_in_time(workloads):
    text = page(measured(row("resnet34", workloads, 0.1, 0.1), row("vgg19", workloads, 0.3, 0.3)))
    assert "3,663,761,408 against 19,632,062,464" in text
    assert "| 1 | float32 | 5.36× | 3.00× | 3.00× | 3.00× |" in text
    assert "vgg19 does 5.36× the multiply-accumulates of resnet34" in text
    assert "under 1 of 1 settings it is less than the MACs ratio" in text
    # 2 · 19,632,062,464 in 0.3 s, of a peak of 10^11 a second; and 2 · 3,663,761,408 in 0.1 s.
    assert "vgg19 reaches 130.9 % of the measured peak and resnet34 73.3 %" in text
    # At these peaks resnet34 would take 0.0733 s and vgg19 0.3926 s: 0.1 / 0.0733, 0.3 / 0.3926.
    assert "at batch 1 resnet34 takes 1.36× as long and vgg19 0.76×." in text
    assert "energy could not be measured here" in text
    assert "37 ops with multiply-accumulates and vgg19 over 19" in text
    assert "resflops bench --models resnet34 vgg19" in text
    assert "1 of 1 steady." in text.split("## All measurements")[0]


def test_a_peak_that_was_passed_is_said_to_bound_nothing(workloads):
    passed = page(measured(row("resnet34", workloads, 0.1, 0.1), row("vgg19", workloads, 0.3, 0.3)))
    assert "Under 1 of 1 settings one of the two networks exceeded it" in passed
    below = page(measured(row("resnet34", workloads, 0.1, 0.1), row("vgg19", workloads, 0.6, 0.6)))
    assert "passed it" not in below


def test_energy_is_compared_where_it_was_measured(workloads):
    energies = {"resnet34": 10.0, "vgg19": 25.0}
    rows = [
        replace(row(name, workloads, 0.1, 0.1), energy=Energy(joules=joules, seconds=3.0, steps=5))
        for name, joules in energies.items()
    ]
    text = page(measured(*rows))
    assert "In energy it is 2.50× (column energy ratio)." in text
    assert "energy could not be measured" not in text


def test_how_precisely_the_ratio_is_known_is_said(workloads):
    text = page(measured(row("resnet34", workloads, 0.1, 0.2), row("vgg19", workloads, 0.3, 0.3)))
    assert "How precisely the time ratios are known (columns ± and grade): 1 of 1 noisy." in text


def test_models_of_unlike_settings_are_not_compared(workloads):
    text = page(
        measured(row("resnet34", workloads, 0.1), row("vgg19", workloads, 0.3, memory_format="channels_last"))
    )
    assert "no setting under which both resnet34 and vgg19 could be timed" in text
    assert "time ratio" not in text


def test_what_a_gpu_told_of_itself_stands_in_the_report(workloads):
    gpu = Gpu(name="Some GPU", capability="9.0", multiprocessors=1, memory_bytes=1, driver="570.1")
    told = Reading(sm_clock_mhz=1980, power_watts=698.0, temperature_celsius=63, throttle=("power cap",))
    rounds = tuple(
        Round(wall=(0.2,) * 10, gpu=(0.1,) * 10, before=Reading(sm_clock_mhz=1755), during=told)
        for _ in range(2)
    )
    held = replace(row("resnet34", workloads), series=Series(rounds=rounds, peak_bytes=3 << 20))
    text = page(
        replace(measured(held), environment=replace(ENVIRONMENT, gpu=gpu, cuda="13.2", cudnn="92600"))
    )
    for said in ("Some GPU", "driver 570.1", "SM clock 1,755 to 1,980 MHz", "clocks held back by power cap",
                 "GPU time", "wall time", "3.00 MiB"):  # fmt: skip
        assert said in text
    # A card under full load is capped by its regulation, which is no fault of the measurement.
    assert "throttled" not in text


def on_gpu(name, workloads, gpu, wall, **settings):
    return replace(row(name, workloads, **settings), series=Series(rounds=tuple(
        Round(wall=(wall,) * 10, gpu=(gpu,) * 10, queued=(max(gpu, 0.9 * wall),) * 10) for _ in range(2)
    )))  # fmt: skip


def test_the_answer_comes_first_with_how_precisely_it_is_known(workloads):
    rows = [
        row(name, workloads, seconds * batch, seconds * batch, batch=batch)
        for batch in (1, 8)
        for name, seconds in (("resnet34", 0.1), ("vgg19", 0.3))
    ]
    lines = page(measured(*rows)).splitlines()
    assert lines[2] == (
        "**vgg19 does 5.36× the multiply-accumulates of resnet34. Its time is 3.00× (±0.0 %) that of resnet34 "
        "at batch 1 and 3.00× (±0.0 %) at batch 8 with eager torch.**"
    )
    # One line for a way to run, one column for a batch.
    assert "| float32 | 3.00× ±0.0 % | 3.00× ±0.0 % |" in lines


def test_every_runtime_has_its_own_answer(workloads):
    rows = [
        row(name, workloads, seconds, seconds, backend=backend)
        for backend, larger in (("torch", 0.3), ("onnxruntime", 0.5))
        for name, seconds in (("resnet34", 0.1), ("vgg19", larger))
    ]
    text = page(measured(*rows))
    assert (
        "Its time is 3.00× (±0.0 %) that of resnet34 at batch 1 with eager torch; 5.00× (±0.0 %) at batch 1 "
        "with onnxruntime.**"
    ) in text
    assert "| float32 | torch | 3.00× ±0.0 % |" in text
    assert "| float32 | onnxruntime | 5.00× ±0.0 % |" in text


def test_what_launching_does_to_the_answer_is_said(workloads):
    rows = on_gpu("resnet34", workloads, 0.01, 0.04), on_gpu("vgg19", workloads, 0.03, 0.03)
    text = page(measured(*rows))
    assert "Its GPU time is 3.00× (±0.0 %) that of resnet34 at batch 1" in text
    assert "By the clock, with the launches of kernels in it, vgg19 takes 0.75× (±0.0 %) the time" in text
    assert "the GPU is busy for 27.8 % of a step (vgg19: 100.0 %)" in text
    assert "| float32 | 3.00× ±0.0 % | 0.75× ±0.0 % |" in text
    bound = page(measured(*(on_gpu(name, workloads, 0.01, 0.01) for name in ("resnet34", "vgg19"))))
    assert "By the clock" not in bound


def test_every_network_has_a_line_and_the_whole_table_is_folded(workloads):
    text = page(measured(row("resnet34", workloads, 0.1, 0.1), row("vgg19", workloads, 0.3, 0.3)))
    assert "| resnet34 | 3.66 G | 100 ms ±0.0 %, 73.3 % |" in text
    folded = text.index("<summary>All 2 configurations")
    assert text.index("## All networks") < folded < text.index("**Latency on Some CPU")
    # On what it was measured is not.
    assert text.index("On Some CPU, 4 threads, torch 2.15") > text.index("## How it was measured")


def test_pages_of_several_files_are_led_to_by_device(tmp_path, workloads):
    (tmp_path / "data").mkdir()
    both = measured(row("resnet34", workloads, 0.1, 0.1), row("vgg19", workloads, 0.3, 0.3))
    other = replace(both, rows=both.rows[:1], environment=replace(ENVIRONMENT, flags={"oneDNN": "off"}))
    for name, each in (("b", both), ("a", other)):
        each.save(tmp_path / "data" / f"latency-{name}.json")
    overview, *pages = PAGE.build(Context(tmp_path, environment=read_versions()))
    assert [each.path for each in pages] == ["latency-a.md", "latency-b.md"]
    lines = overview.text.splitlines()
    assert lines[2].startswith("- [Some CPU, 4 threads](latency-b.md): the time of vgg19")
    assert "is 3.00× (±0.0 %) at batch 1 with eager torch." in lines[2]
    assert lines[3] == "  - [under other flags](latency-a.md): oneDNN off"
