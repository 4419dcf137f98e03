"""What is predicted beside what an H200 has recorded: they differ by workspace of kernels, and by nothing else."""

import json
from pathlib import Path

import pytest

import resflops
from resflops.peak_memory.allocator import replay
from resflops.peak_memory.workspaces import estimate_workspaces

DATA = Path(__file__).parents[3] / "reports" / "data"
OPTIONS = ("training", "optimizer", "dtype", "autocast", "checkpointing", "loss")
NAMES = ("network", "batch", *OPTIONS)

WITHOUT_WORKSPACE = [
    {"network": "vit_b_16", "batch": 4},
    {"network": "vit_b_16", "batch": 4, "training": True, "loss": "sum", "optimizer": "adamw"},
    {"network": "convnext_tiny", "batch": 32},
    {"network": "convnext_tiny", "batch": 4, "training": True, "loss": "sum"},
    {
        "network": "convnext_tiny", "batch": 4, "training": True, "loss": "sum", "optimizer": "adamw",
        "dtype": "bfloat16", "autocast": True,
    },
    {"network": "densenet121", "batch": 4},
    {
        "network": "resnet34", "batch": 4, "training": True, "loss": "sum", "optimizer": "adamw",
        "checkpointing": "layer*.*",
    },
]  # fmt: skip
"""Runs that have no workspace in use at their peak but that of cuBLAS, which is estimated."""


@pytest.mark.parametrize(
    "options", WITHOUT_WORKSPACE, ids=lambda options: " ".join(map(str, options.values()))
)
def test_requested_bytes_are_those_of_an_h200_where_no_convolution_has_workspace(options):
    pytest.importorskip("torchvision")
    recorded = json.loads((DATA / "memory-nvidia-h200.json").read_text(encoding="utf-8"))
    (run,) = (
        run for run in recorded["results"] if {name: run[name] for name in NAMES if name in run} == options
    )
    memory = resflops.memory(
        f"torchvision/{options['network']}",
        (options["batch"], 3, 224, 224),
        device="cuda",
        **{name: options[name] for name in OPTIONS if name in options},
    )
    figures = replay(memory, workspaces=estimate_workspaces(memory))
    assert figures.requested == run["steps"][-1]["peak"]["requested"]


def test_what_an_h200_requests_above_the_prediction_is_workspace_in_use_at_its_peak():
    compared = json.loads((DATA / "memory-nvidia-h200-compared.json").read_text(encoding="utf-8"))
    exact = 0
    for run in compared["results"]:
        above = run["gpu"][-1]["requested"] - run["with_workspaces"][-1]["requested"]
        assert 0 <= above <= sum(each["size"] for each in run["only_gpu_at_peak"])
        exact += not above
    assert (exact, len(compared["results"])) == (31, 66)
