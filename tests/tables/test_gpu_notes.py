"""What is said of figures of GPUs where it does not hold of all."""

import pytest
from msgspec.structs import replace

from resflops.latency import Configuration, Effort, Environment, Measurements, Round, Row, Series
from resflops.latency.machine import TF32_CONVOLUTIONS, TF32_PRODUCTS, Gpu
from resflops.latency.measurements import Energy
from resflops.latency.series import Reading
from resflops.render import find_renderer
from resflops.tables import Table
from resflops.tables.gpu_notes import note_gpus
from resflops.tables.latency import build_latency_rows

GPU = Gpu(name="H", capability="9.0", multiprocessors=1, memory_bytes=1, driver="1")


def row_of(model="x", *, energy=None, queued=1.0, gpu=1.0, **settings):
    series = Series(rounds=(Round(wall=(2.0,) * 10, gpu=(gpu,) * 10, queued=(queued,) * 10),))
    return Row(
        configuration=Configuration(model=model, device="cuda", **settings), series=series, energy=energy
    )


def environment_of(*, flags=None, **facts):
    return Environment(
        resflops="1", python="3.11", torch="2.15", system="Linux", cpu="C", cores=4, threads=4,
        gpu=replace(GPU, **facts), flags=flags or {},
    )  # fmt: skip


def notes_of(*rows, **facts):
    measured = Measurements(environment=environment_of(**facts), effort=Effort(), rows=rows)
    return [read(note) for note in note_gpus([measured])]


def read(note):
    table = Table(name="t", title="", columns=(), rows=(), notes=(note,))
    return find_renderer("markdown").render(table).partition("- ")[2].strip()


def energy_of(seconds, *, again=None):
    """Energy of ten steps that drew a joule each."""
    return Energy(joules=10.0, seconds=seconds, steps=10, joules_a_step_again=again)


def test_nothing_is_said_where_there_is_nothing_to_say():
    assert notes_of(row_of(energy=energy_of(10.0)), row_of(dtype="bfloat16")) == []


def test_how_precise_energy_is_shows_in_what_was_measured_again():
    rows = [
        row_of("a", energy=energy_of(10.0, again=1.02)),
        row_of("b", energy=energy_of(10.0)),
        row_of("c", energy=energy_of(10.0, again=0.95)),
    ]
    assert notes_of(*rows) == [
        "Energy of 2 configurations was measured again at the end: a step drew 5.0 % more or less at most, which "
        "is the precision of energy."
    ]


def test_steps_that_are_of_another_length_while_energy_is_measured_are_told():
    rows = [
        row_of(name, energy=energy_of(seconds)) for name, seconds in (("a", 10.9), ("b", 25.0), ("c", 8.8))
    ]
    assert notes_of(*rows) == [
        "While energy was measured, steps of 2 of 3 configurations were longer or shorter by more than 10 % than "
        "in the rounds, as launch-bound ones may be, and their energy is of that pace. Most of all b, batch 1, "
        "float32: 2.50× as long."
    ]


@pytest.mark.parametrize(("capability", "count"), [("7.5", 1), ("8.0", 0), ("10.0", 0)])
def test_bfloat16_that_is_emulated_is_told(capability, count):
    notes = notes_of(row_of(dtype="bfloat16"), capability=capability)
    assert len(notes) == count
    assert all("H has compute capability 7.5, and GPUs below 8.0 emulate bfloat16" in note for note in notes)
    assert notes_of(row_of(dtype="float16"), capability=capability) == []


def test_a_cold_and_a_warm_cache_are_told_apart_where_launching_decides():
    cold = row_of(cold_l2=True)
    (note,) = notes_of(row_of(gpu=0.5), cold)
    assert "launch-bound (1 configuration here), GPU busy and inputs/s in a row cannot be compared" in note
    for alone in ([cold], [row_of(gpu=0.95), cold], [row_of(gpu=0.5, batch=2), cold]):
        assert notes_of(*alone) == []


@pytest.mark.parametrize(
    ("convolutions", "products", "said"),
    [
        ("on", "on", ["float32 is computed in TF32 here, by convolutions and by matrix products."]),
        ("on", "off", ["float32 is computed in TF32 here by convolutions, and not by matrix products."]),
        ("off", "on", ["float32 is computed in TF32 here by matrix products, and not by convolutions."]),
        ("off", "off", []),
    ],
)
def test_what_float32_is_computed_in_is_told(convolutions, products, said):
    flags = {TF32_CONVOLUTIONS: convolutions, TF32_PRODUCTS: products}
    assert notes_of(row_of(), flags=flags) == said
    assert notes_of(row_of(dtype="float16"), flags=flags) == []


def test_a_power_cap_is_told_with_the_clock_that_was_reached():
    def capped(*clocks):
        reading = Reading(throttle=("power cap",))
        rounds = [Round(wall=(1.0,), during=replace(reading, sm_clock_mhz=clock)) for clock in clocks]
        return replace(row_of(dtype="float16"), series=Series(rounds=tuple(rounds)))

    rows = [capped(1600, 1500), capped(1400), row_of(dtype="float16")]
    assert notes_of(*rows, most_sm_clock_mhz=2000) == [
        "The power limit held clocks back in 2 of 3 configurations, to 75.0 % of the highest SM clock (median), as "
        "is usual under full load."
    ]
    assert notes_of(row_of(dtype="float16"), most_sm_clock_mhz=2000) == []


def test_what_the_board_draws_idle_is_told():
    row = row_of(dtype="float16", energy=replace(energy_of(10.0), idle_watts=75.25))
    assert notes_of(row) == ["The board draws 75.2 W while nothing runs, which is in the energy."]
    measured = Measurements(environment=environment_of(), effort=Effort(), rows=(row,))
    (cells,) = build_latency_rows([measured])
    assert (cells["net_joules_per_item"], cells["energy_step_seconds"]) == ((10.0 - 752.5) / 10, 1.0)


def test_a_gpu_that_tells_nothing_is_not_one_that_nothing_holds_back():
    (note,) = notes_of(row_of(), driver=None)
    assert note.startswith("NVML told nothing of H: its clocks, power, throttling and energy are not known.")
