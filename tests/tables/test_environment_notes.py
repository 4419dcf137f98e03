"""What is said of the machine that was measured on."""

import pytest

from resflops.latency import Configuration, Effort, Environment, Measurements, Round, Row, Series
from resflops.latency.machine import Gpu
from resflops.latency.peaks import Peak, Probe
from resflops.latency.series import Reading
from resflops.render import find_renderer
from resflops.tables import Table
from resflops.tables.environment_notes import note_peaks, note_readings

GPU = Gpu(name="Some GPU", capability="9.0", multiprocessors=1, memory_bytes=1)


def measured(*loads, gpu=None, peaks=()):
    rounds = tuple(Round(wall=(1.0,), before=Reading(load=load)) for load in loads)
    return Measurements(
        environment=Environment(
            resflops="1",
            python="3.11",
            torch="2.15",
            system="Linux",
            cpu="Some CPU",
            cores=2,
            threads=2,
            gpu=gpu,
        ),
        effort=Effort(),
        rows=(Row(configuration=Configuration(model="x", device="cpu"), series=Series(rounds=rounds)),),
        peaks=peaks,
    )


def read(notes):
    table = Table(name="t", title="t", columns=(), rows=(), notes=tuple(notes))
    return find_renderer("markdown").render(table)


@pytest.mark.parametrize(
    ("loads", "gpu", "said"),
    [
        ((0.5, 2.0), None, False),
        ((0.5, 13.0), None, True),
        # A GPU's own time does not wait for a core.
        ((0.5, 13.0), GPU, False),
    ],
)
def test_contention_for_the_cores_is_named(loads, gpu, said):
    text = read(note_readings([measured(*loads, gpu=gpu)]))
    sentence = "2 cores, and up to 13.0 processes wanted them: times include waiting for a core."
    assert (sentence in text) is said


def test_every_kind_of_work_has_its_peak_named():
    def peak(kind, size, dtype="float32", precision=""):
        probe = Probe(kind=kind, dtype=dtype, size=size, precision=precision)
        return Peak(probe=probe, series=Series(rounds=(Round(wall=(probe.work / 1e9,)),)))

    text = read(
        note_peaks(
            [
                measured(
                    1.0,
                    peaks=(
                        peak("matmul", 2048),
                        peak("3×3 convolution", 8, precision="TF32"),
                        peak("copy", 100, dtype="uint8"),
                    ),
                )
            ]
        )
    )
    assert "Peak of a matmul of 2048 rows, float32: 1.00 GFLOP/s." in text
    assert "Peak of a 3×3 convolution of 256 channels, float32 (TF32): 1.00 GFLOP/s." in text
    assert "Peak of a copy of a large buffer: 1.00 GB/s." in text
