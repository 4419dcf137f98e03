"""The README's ratios of times are those that were measured."""

from pathlib import Path

import pytest

from resflops.latency import Measurements
from resflops.render.formats import times
from resflops.report.paper_pair import compare_paper_pair

ROOT = Path(__file__).parents[2]

LINES = {
    "AMD EPYC, 2 cores: eager torch, float32": ("amd-epyc", "float32", False),
    "AMD EPYC, 2 cores: onnxruntime, float32": ("amd-epyc", "float32, onnxruntime", False),
    "NVIDIA H200: eager torch, float32, by the clock": ("nvidia-h200", "float32", True),
    "NVIDIA H200: CUDA graphs, float16, channels_last": (
        "nvidia-h200", "float16, channels_last, cuda-graph", False,
    ),
}  # fmt: skip
"""By what the README calls it: the file, the way to run, and whether launches are in the time."""


@pytest.mark.parametrize("name", LINES)
def test_the_ratios_of_times_are_those_of_the_stored_measurements(name):
    file, way, by_clock = LINES[name]
    pair = compare_paper_pair(Measurements.load(ROOT / "reports" / "data" / f"latency-{file}.json"))
    found = {each.batch: each.by_clock if by_clock else each.time for each in pair.ways[way]}
    cells = [times(found[batch].value) if batch in found else "" for batch in (1, 8, 128)]
    assert f"| {name} | {' | '.join(cells)} |" in (ROOT / "README.md").read_text(encoding="utf-8")
