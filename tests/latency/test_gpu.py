"""What only a GPU can show: run with ``pytest -m gpu``. No time is asserted, only what holds of any."""

import pytest
import torch
from torch import nn

import resflops
from resflops.latency.attribution import attribute_time
from resflops.latency.devices import open_device

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

BRIEF = {"device": "cuda", "rounds": 2, "seconds": 0.0, "warm_up": 0.0}


def row_of(model="resnet20", shape=(2, 3, 32, 32), **settings):
    (row,) = resflops.benchmark(resflops.load(model), shape, **{**BRIEF, **settings}).rows
    return row


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dtype": "float16"},
        {"dtype": "bfloat16", "memory_format": "channels_last"},
        {"dtype": "float16", "autocast": True},
        {"mode": "cuda-graph"},
        {"mode": "cuda-graph", "dtype": "float16", "autocast": True},
        {"mode": "compile"},
        {"mode": "compile-reduce-overhead"},
        {"mode": "compile-reduce-overhead", "training": True},
        {"cold_l2": True},
        {"training": True},
        {"training": True, "mode": "cuda-graph"},
    ],
    ids=str,
)
def test_every_setting_gives_both_times(settings):
    row = row_of(**settings)
    assert row.series.failure is None, row.series.failure
    for each in row.series.rounds:
        assert len(each.gpu) == len(each.wall) > 0
        assert min(each.gpu) > 0
        assert min(each.wall) > 0


def test_kernels_that_are_tried_are_measured():
    # One product alone, as each takes seconds.
    (row,) = resflops.benchmark(nn.Linear(256, 256), (64, 256), mode="compile-max-autotune", **BRIEF).rows
    assert row.series.failure is None, row.series.failure


def test_peak_memory_holds_at_least_the_weights():
    row = row_of()
    assert row.series.peak_bytes >= 4 * row.workload.weight_elements


def test_a_model_that_does_not_fit_is_out_of_memory():
    free, _ = torch.cuda.mem_get_info()
    # Its weight alone is larger than the device's memory.
    size = int((free / 4) ** 0.5 * 2)
    with torch.device("meta"):
        model = nn.Linear(size, size, bias=False)
    (row,) = resflops.benchmark(model, (1, size), **BRIEF).rows
    assert row.series.failure.kind == "out of memory"


def test_the_environment_names_the_gpu_and_its_l2_cache():
    _, environment = open_device("cuda")
    assert environment.gpu.name == torch.cuda.get_device_name()
    assert environment.gpu.l2_bytes == torch.cuda.get_device_properties(0).L2_cache_size
    assert {"TF32 in matrix products", "TF32 in convolutions", "cuDNN benchmark"} <= set(environment.flags)


def test_telemetry_and_energy_where_nvml_tells_them():
    pytest.importorskip("pynvml")
    device, _ = open_device("cuda")
    if device.telemetry.read_joules() is None:
        pytest.skip("NVML has no energy counter here")
    square = torch.randn(4096, 4096, device="cuda")
    energy = device.measure_energy(lambda: square @ square, 1.0)
    assert energy.joules > 0
    # A step takes no longer than without the counter being read: 15 % is far from the twofold that it was.
    queued = device.time_step(lambda: square @ square, 50, cold_l2=False).queued
    assert energy.seconds / energy.steps < 1.15 * sorted(queued)[25]
    assert energy.seconds >= 1.0
    assert energy.steps > 0
    assert device.telemetry.take_reading().sm_clock_mhz > 0


def test_layers_on_the_gpu_add_up_to_the_step():
    model = resflops.load("resnet20", device="cuda")
    image = torch.randn(2, 3, 32, 32, device="cuda")
    with torch.no_grad():
        found = attribute_time(model, lambda: model(image), torch.device("cuda"), repetitions=3)
    assert {row.name for row in resflops.count(model, (2, 3, 32, 32)).layers} <= {
        each.name for each in found.layers
    }
    assert found.seconds > 0


def test_no_flag_of_torch_is_changed():
    backends = torch.backends
    before = backends.cudnn.benchmark, backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32
    row_of(mode="cuda-graph")
    assert before == (backends.cudnn.benchmark, backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32)
