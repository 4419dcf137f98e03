"""What is done with a GPU, in which order, over one that only keeps time.

A stream of kernels stands in for torch.cuda, and a processor that launches them: a kernel begins when it was
launched and the one before it is done. Nobody's memory or arithmetic is played here.
"""

import gc
import sys
import threading
from collections.abc import Sequence
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import resflops
from resflops.latency import bench, cuda, prepare
from resflops.latency.configuration import Configuration
from resflops.latency.cuda import Cuda
from resflops.latency.environment import read_environment
from resflops.latency.failures import CaptureError, may_be_memory
from resflops.latency.measurements import Row, Workload
from resflops.latency.models import MeasurableModule, _count_held_bytes
from resflops.latency.schedule import Effort
from resflops.latency.series import Reading
from resflops.latency.telemetry import Sampler, Telemetry, open_telemetry
from resflops.records import TensorSpec

LAUNCH = 10e-6
"""Seconds that the processor takes to launch a kernel."""

CYCLES = 1e9
"""Cycles a second of the kernel that sleeps."""


class FakeGpu:
    """The time of the processor and of the stream, and every call, in order."""

    def __init__(self):
        self.now = 0.0
        self.free = 0.0
        self.busy = 0.0
        self.calls = []
        self.lost = None
        self.memory = 1 << 40

    def clock(self):
        """Tell the processor's time, which asking for it moves on a little."""
        self.now += 1e-7
        return self.now

    def launch(self, name, seconds, *, cost=LAUNCH):
        """Launch a kernel of a duration."""
        self.answer(name)
        self.now += cost
        self.free = max(self.free, self.now) + seconds
        self.busy += seconds

    def answer(self, name):
        """Note a call, which fails on a device that is lost."""
        self.calls.append(name)
        if self.lost:
            raise RuntimeError(self.lost)

    def wait(self, _=None):
        """Wait for the stream."""
        self.answer("synchronize")
        self.now = max(self.now, self.free)

    def install(self, patch):
        """Stand in for what the tests use of torch.cuda."""
        gpu = self

        class Event:
            def __init__(self, *, enable_timing=False):
                assert enable_timing
                self.at = None

            def record(self):
                gpu.answer("record")
                self.at = max(gpu.now, gpu.free)

            def elapsed_time(self, end):
                return (end.at - self.at) * 1e3

            def query(self):
                gpu.now += 1e-4
                return self.at <= gpu.now

            def synchronize(self):
                gpu.now = max(gpu.now, self.at)

        @contextmanager
        def on_device(_):
            yield

        known = SimpleNamespace(L2_cache_size=1 << 10, uuid="0-1")
        for name, made in {
            "Event": Event,
            "device": on_device,
            "synchronize": gpu.wait,
            "empty_cache": lambda: gpu.answer("empty_cache"),
            "get_device_properties": lambda _: known,
            "_sleep": lambda cycles: gpu.launch("sleep", cycles / CYCLES),
            "memory_allocated": lambda _=None: 0,
            "mem_get_info": lambda _=None: (gpu.memory, gpu.memory),
            "max_memory_allocated": lambda _=None: 0,
            "reset_peak_memory_stats": lambda _=None: None,
        }.items():
            patch.setattr(torch.cuda, name, made)
        return gpu


class FakeNvml:
    """What NVML tells of such a GPU: an energy counter that moves ten times a second, and clocks."""

    answer_seconds = 3e-3
    """What an answer of the energy counter takes whoever asks for it, as on an H200."""

    class NVMLError(Exception):
        pass

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = "sm", "mem", 0

    def __init__(self, gpu, *, idle_watts=100.0, watts=500.0):
        self.gpu, self.idle_watts, self.watts = gpu, idle_watts, watts
        self.reasons, self.clocks = 0, [1980]

    def nvmlDeviceGetTotalEnergyConsumption(self, _):
        self.gpu.now += self.answer_seconds
        return self.tell_millijoules(int(self.gpu.now * 10))

    def tell_millijoules(self, tick):
        """Tell what the counter stands at after so many moves."""
        # As if it had always been at work from its first kernel on.
        busy = max(0.0, tick / 10 - self.began) if self.began is not None else 0.0
        return round(1e3 * (self.idle_watts * tick / 10 + (self.watts - self.idle_watts) * busy))

    began = None

    def nvmlDeviceGetClockInfo(self, _, kind):
        if kind == "mem":
            return 2619
        return self.clocks.pop(0) if len(self.clocks) > 1 else self.clocks[0]

    def nvmlDeviceGetTemperature(self, *_):
        return 40

    def nvmlDeviceGetPowerUsage(self, _):
        return 1000 * self.watts

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, _):
        return self.reasons


class FakeTelemetry(Telemetry):
    """Telemetry whose watch of the counter goes by the time of such a GPU, and takes none of it."""

    @contextmanager
    def watch_joules(self, clock):
        gpu, nvml = self._nvml.gpu, self._nvml
        moves = Moves(nvml, gpu)
        yield moves
        moves.until = gpu.now


class Moves(Sequence):
    """The moves of a counter from now on, up to the moment at which they are looked at."""

    def __init__(self, nvml, gpu):
        self.nvml, self.gpu, self.since, self.until = nvml, gpu, gpu.now, None

    def list(self):
        until = self.gpu.now if self.until is None else self.until
        told = self.nvml.tell_millijoules
        ticks = range(int(self.since * 10) + 1, int(until * 10) + 1)
        return [(tick / 10, told(tick) / 1e3) for tick in ticks if told(tick) != told(tick - 1)]

    def __getitem__(self, place):
        return self.list()[place]

    def __len__(self):
        return len(self.list())


CPU = torch.device("cpu")
"""Where models run and numbers are drawn: there is no other device here."""


@pytest.fixture
def gpu(monkeypatch):
    return FakeGpu().install(monkeypatch)


@pytest.fixture
def device(gpu):
    return Cuda(CPU, Telemetry(), clock=gpu.clock)


def open_cuda(gpu, nvml, monkeypatch):
    """Open such a GPU with an energy counter."""
    device = Cuda(CPU, FakeTelemetry(nvml, "handle"), clock=gpu.clock)
    monkeypatch.setattr(device, "_pause", lambda: setattr(gpu, "now", gpu.now + 0.02))
    return device


def step_of(gpu, kernels, seconds):
    """Make a step of so many kernels of a duration."""

    def step():
        for _ in range(kernels):
            gpu.launch("kernel", seconds)

    return step


@pytest.mark.parametrize(
    ("kernels", "seconds", "busy"), [(100, 1e-6, 0.1), (100, 5e-6, 0.5), (10, 1e-3, 1.0)]
)
def test_gpu_time_is_that_of_the_kernels_and_not_of_their_launches(gpu, device, kernels, seconds, busy):
    taken = device.time_step(step_of(gpu, kernels, seconds), 3, cold_l2=False)
    assert taken.gpu == pytest.approx([kernels * seconds] * 3, rel=1e-6)
    follows = max(kernels * seconds, (kernels - 1) * LAUNCH + LAUNCH + seconds)
    assert taken.queued == pytest.approx([follows] * 3, rel=0.05)
    assert sum(taken.gpu) / sum(taken.queued) == pytest.approx(busy, rel=0.05)
    assert min(taken.wall) >= kernels * seconds


def test_the_stream_is_blocked_before_each_step_and_outside_its_events(gpu, device):
    device.block(1e-3)
    gpu.calls.clear()
    device._time_by_events(step_of(gpu, 2, 1e-6), 2, cold_l2=False, blocked=1e-3)
    made = ["record", "record"] * 2
    one = ["sleep", "record", "kernel", "kernel", "record"]
    assert gpu.calls == [*made, *one, *one, "synchronize"]


def test_a_block_lasts_twice_as_long_as_launching(gpu, device):
    device.block(0.0)
    before = gpu.free
    device.block(2e-3)
    assert gpu.free - max(before, gpu.now) <= 2e-3 + 1e-6
    assert gpu.free - before == pytest.approx(2e-3, rel=0.02)


def test_the_l2_cache_is_cleared_before_the_first_event_by_twice_its_size(gpu, device, monkeypatch):
    real = torch.Tensor.zero_
    monkeypatch.setattr(torch.Tensor, "zero_", lambda self: (gpu.launch("clear", 0.0), real(self))[1])
    device._time_by_events(step_of(gpu, 1, 1e-6), 1, cold_l2=True)
    assert gpu.calls == ["record", "record", "clear", "record", "kernel", "record", "synchronize"]
    assert device._l2.nbytes == 2 << 10


def test_a_lost_device_is_released_without_a_word_and_does_not_survive(gpu, device):
    error = RuntimeError("CUDA error: an illegal memory access was encountered")
    assert device.survives(ValueError("the model's own"))
    gpu.lost = str(error)
    device.release()
    assert not device.survives(error)


def test_a_device_without_memory_survives(gpu, device):
    gpu.lost = "CUDA out of memory. Tried to allocate 2 GiB"
    assert device.survives(RuntimeError(gpu.lost))


@pytest.mark.parametrize(("version", "survives"), [("2.11.0+cu130", False), ("2.12.1", False), ("2.13.0", True), ("2.15.0a1", True)])  # fmt: skip
def test_a_failed_capture_loses_the_process_of_an_older_torch(gpu, device, monkeypatch, version, survives):
    monkeypatch.setattr(cuda.torch, "__version__", version)
    assert device.survives(CaptureError("operation not permitted when stream is capturing")) is survives


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory",
        "CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUBLAS_STATUS_NOT_INITIALIZED when calling cublasCreate(handle)",
        "GET was unable to find an engine to execute this computation",
    ],
)
def test_what_may_be_memory_is_tried_again(text):
    assert may_be_memory(RuntimeError(text))
    assert not may_be_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


class Stream:
    def __init__(self, _device):
        pass

    def wait_stream(self, _):
        pass


def record_captures(patch, captured, *, fails=None):
    """Stand in for CUDA graphs: note the stream of warm-up and capture, and whether garbage is collected."""

    @contextmanager
    def on_stream(stream):
        captured.append(("warm-up", stream))
        yield

    @contextmanager
    def capture(_graph, *, stream=None):
        captured.append(("capture", stream))
        captured.append(("collects", gc.isenabled()))
        yield
        if fails:
            raise RuntimeError(fails)

    for name, made in {
        "Stream": Stream,
        "stream": on_stream,
        "current_stream": Stream,
        "graph": capture,
        "CUDAGraph": lambda: SimpleNamespace(replay=lambda: captured.append("replay")),
    }.items():
        patch.setattr(torch.cuda, name, made)


def test_warm_up_and_capture_are_on_one_stream_and_collect_no_garbage(gpu, monkeypatch):
    captured = []
    record_captures(monkeypatch, captured)
    step = prepare._capture_graph(lambda: "output", CPU)
    (_, stream), (_, other), collects = captured
    assert stream is other
    assert collects == ("collects", False)
    assert gc.isenabled()
    assert (step(), captured[-1]) == ("output", "replay")


def test_a_capture_that_fails_is_told_apart(gpu, monkeypatch):
    record_captures(monkeypatch, [], fails="captures_underway.empty() INTERNAL ASSERT FAILED")
    with pytest.raises(CaptureError, match="INTERNAL ASSERT"):
        prepare._capture_graph(lambda: None, CPU)
    assert gc.isenabled()


def test_energy_lies_between_two_moves_of_the_counter(gpu, monkeypatch):
    nvml = FakeNvml(gpu)
    device = open_cuda(gpu, nvml, monkeypatch)

    def step():
        if nvml.began is None:
            nvml.began = gpu.now
        gpu.launch("kernel", 5e-3)

    found = device.measure_energy(step, 2.0)
    assert found.idle_watts == pytest.approx(100.0, rel=0.03)
    # The window is of whole moves, to a poll: a window that began anywhere would be off by up to a move.
    assert found.seconds == pytest.approx(2.0, abs=0.02)
    assert found.joules == pytest.approx(1000.0, abs=1e-6)
    assert found.steps == pytest.approx(400, rel=0.02)
    assert found.net_joules == pytest.approx(800.0, rel=0.02)


@pytest.mark.parametrize(("kernels", "seconds"), [(100, 1e-6), (10, 5e-4)])
def test_a_step_takes_as_long_while_energy_is_measured_as_in_rows(gpu, monkeypatch, kernels, seconds):
    """An answer of the counter takes milliseconds, for which a step that is launch-bound is not launched.

    Asked for by the thread that launches, it made such steps up to 2.5 times as long on an H200.
    """
    device, step = open_cuda(gpu, FakeNvml(gpu), monkeypatch), step_of(gpu, kernels, seconds)
    queued = device.time_step(step, 5, cold_l2=False).queued
    found = device.measure_energy(step, 1.0)
    assert found.seconds / found.steps == pytest.approx(queued[2], rel=0.01)


def test_the_counter_is_watched_by_a_thread_that_ends_with_it(gpu):
    class Counting(FakeNvml):
        told = iter([1000, 1000, 2000, 2000, 2000, 3500])

        def nvmlDeviceGetTotalEnergyConsumption(self, _):
            return next(self.told, 3500)

    ticks = iter([0.25, 0.5])
    with Telemetry(Counting(gpu), "handle").watch_joules(lambda: next(ticks)) as moves:
        while len(moves) < 2:
            pass
        assert "resflops-joules" in {thread.name for thread in threading.enumerate()}
    assert moves == [(0.25, 2.0), (0.5, 3.5)]
    assert "resflops-joules" not in {thread.name for thread in threading.enumerate()}


def test_energy_of_the_first_and_the_last_is_measured_again(gpu, monkeypatch):
    measured, kept = measure(gpu, monkeypatch, {name: Small(gpu) for name in "abc"}, energy_seconds=0.3)
    again = [row.energy.joules_a_step_again for row in measured.rows]
    assert again[1] is None
    differences = [row.energy.difference for row in measured.rows]
    for place in (0, 2):
        energy = measured.rows[place].energy
        assert again[place] == pytest.approx(energy.joules / energy.steps, rel=0.5)
        assert differences[place] == abs(again[place] / (energy.joules / energy.steps) - 1)
    assert measured.energy_precision == max(differences[0], differences[2])
    counts = [
        sum(bool(row.energy and row.energy.difference is not None) for row in each.rows) for each in kept
    ]
    assert list(dict.fromkeys(counts)) == [0, 1, 2]


def test_a_counter_that_never_moves_gives_no_energy(gpu, monkeypatch):
    device = open_cuda(gpu, FakeNvml(gpu, idle_watts=0, watts=0), monkeypatch)
    assert device.measure_energy(step_of(gpu, 1, 5e-3), 0.5) is None


def test_clocks_are_sampled_while_a_round_is_measured(gpu):
    nvml = FakeNvml(gpu)
    nvml.clocks, nvml.reasons = [1980, 1200, 1980, 1980], 0x04 | 0x20
    with Sampler(Telemetry(nvml, "handle"), seconds=0.001) as sampler:
        while len(sampler._readings) < 3:
            pass
    found = sampler.summarize()
    assert (found.sm_clock_mhz, found.least_sm_clock_mhz, found.memory_clock_mhz) == (1980, 1200, 2619)
    assert found.throttle == ("power cap", "thermal, by software")


def test_what_nvml_does_not_tell_is_unknown_and_not_nothing(gpu):
    class Silent(FakeNvml):
        def nvmlDeviceGetCurrentClocksThrottleReasons(self, _):
            raise self.NVMLError

    assert Telemetry(Silent(gpu), "handle").take_reading().throttle is None
    assert Telemetry(FakeNvml(gpu), "handle").take_reading().throttle == ()
    assert Telemetry().take_reading() == Reading()


def test_an_older_driver_is_asked_by_the_older_name(gpu):
    class Newer(FakeNvml):
        def nvmlDeviceGetCurrentClocksEventReasons(self, _):
            raise self.NVMLError

    nvml = Newer(gpu)
    nvml.reasons = 0x40
    assert Telemetry(nvml, "handle").take_reading().throttle == ("thermal, by hardware",)


def test_power_is_that_of_the_moment_where_it_is_told(gpu):
    class Instant(FakeNvml):
        def nvmlDeviceGetFieldValues(self, _, fields):
            assert fields == [186]
            return [SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=321_500))]

    assert Telemetry(Instant(gpu), "handle").take_reading().power_watts == 321.5
    assert Telemetry(FakeNvml(gpu), "handle").take_reading().power_watts == 500.0


@pytest.mark.parametrize("prefix", ["", "GPU-", "MIG-"])
def test_a_gpu_and_a_part_of_one_are_found_by_their_uuid(monkeypatch, gpu, prefix):
    class Known(FakeNvml):
        def nvmlInit(self):
            pass

        def nvmlDeviceGetHandleByUUID(self, name):
            if name != f"{prefix}0-1":
                raise self.NVMLError
            return name

    monkeypatch.setitem(sys.modules, "pynvml", Known(gpu))
    assert open_telemetry("0-1")._handle == f"{prefix}0-1"
    assert open_telemetry("2-3").silent


class Small(nn.Module):
    """A model that loses the device at one of its calls."""

    def __init__(self, gpu, lost_at=0):
        super().__init__()
        self.gpu, self.lost_at, self.calls = gpu, lost_at, 0
        self.linear = nn.Linear(4, 4)

    def __deepcopy__(self, memo):
        # The one that is measured is a copy, and shares the GPU.
        return Small(self.gpu, self.lost_at)

    def forward(self, rows):
        if not rows.is_meta:
            self.calls += 1
            self.gpu.launch("kernel", 1e-3)
            if self.calls == self.lost_at:
                self.gpu.lost = "CUDA error: an illegal memory access was encountered"
                raise RuntimeError(self.gpu.lost)
        return self.linear(rows)


def measure(gpu, monkeypatch, models, *, modes=("eager",), **effort):
    """Measure models on the GPU that only keeps time; give what was kept on the way, and the end."""
    device = open_cuda(gpu, FakeNvml(gpu), monkeypatch)
    monkeypatch.setattr(bench, "open_device", lambda _: (device, read_environment(CPU)))
    monkeypatch.setattr(bench, "BETWEEN_SAVES", -1.0)
    kept = []
    measured = bench.measure(
        {name: MeasurableModule(model, (TensorSpec((2, 4)),), {}) for name, model in models.items()},
        [Configuration(model=name, device="cpu", batch=2, mode=mode) for name in models for mode in modes],
        effort=Effort(rounds=2, warm_up=0.0, seconds=0.0, least=2, **effort),
        command="resflops bench",
        layers=True,
        keep=kept.append,
    )
    return measured, kept


def test_energy_and_layers_are_kept_as_they_come(gpu, monkeypatch):
    measured, kept = measure(gpu, monkeypatch, {name: Small(gpu) for name in "abc"}, energy_seconds=0.3)
    assert [row.series.notes for row in measured.rows] == [(), (), ()]
    assert measured.runs[-1].finished
    for known in ("energy", "attribution"):
        counts = [sum(getattr(row, known) is not None for row in each.rows) for each in kept]
        assert counts == sorted(counts)
        assert set(counts) == {0, 1, 2, 3}
    assert kept[-1] == measured


def test_a_lost_device_ends_the_run_and_keeps_all_that_is_measured(gpu, monkeypatch):
    models = {"sound": Small(gpu), "broken": Small(gpu, lost_at=25), "later": Small(gpu)}
    measured, kept = measure(gpu, monkeypatch, models, energy_seconds=0.0)
    assert measured.runs[-1].ended == (
        "the device was lost by broken, batch 2, float32: "
        "failed: CUDA error: an illegal memory access was encountered"
    )
    assert not measured.runs[-1].finished
    assert kept[-1] == measured
    rounds = {row.configuration.model: len(row.series.rounds) for row in measured.rows}
    assert (rounds["broken"], rounds["sound"] + rounds["later"] >= 2) == (1, True)
    assert measured.find_row(Configuration(model="later", device="cpu", batch=2)).series.failure is None


def test_a_budget_ends_the_run_between_two_configurations(gpu, monkeypatch):
    ticks = iter(range(10**6))
    monkeypatch.setattr(bench, "monotonic", lambda: float(next(ticks)))
    measured, _ = measure(
        gpu, monkeypatch, {name: Small(gpu) for name in "ab"}, energy_seconds=0.0, budget=39.0
    )
    assert measured.runs[-1].ended == "its budget of 39 s was spent"
    assert 0 < sum(len(row.series.rounds) for row in measured.rows) < 4


CAPTURED = ["cuda-graph", "compile-max-autotune", "compile-reduce-overhead"]


@pytest.mark.parametrize("mode", CAPTURED)
def test_what_is_captured_comes_after_a_round_of_all_others(gpu, monkeypatch, mode):
    device = Cuda(CPU, Telemetry(), clock=gpu.clock)
    monkeypatch.setattr(bench, "open_device", lambda _: (device, read_environment(CPU)))
    configurations = [
        Configuration(model="x", device="cpu", mode=each) for each in (mode, "eager", "compile")
    ]
    made = bench._Bench({"x": None}, configurations, Effort(rounds=2), "", None, lambda _: None)
    planned = [
        (key.mode, number) for number, key in made._session.list_missing() if isinstance(key, Configuration)
    ]
    assert planned == [
        ("compile", -1), ("eager", -1), ("eager", 0), ("compile", 0),
        (mode, -1), (mode, 0),
        ("compile", 1), ("eager", 1), (mode, 1),
    ]  # fmt: skip


def test_a_capture_that_loses_the_process_leaves_a_round_of_all_others(gpu, monkeypatch):
    """Up to torch 2.12, where the next call that waits fails after it."""
    record_captures(monkeypatch, [], fails="operation not permitted when stream is capturing")
    monkeypatch.setattr(cuda.torch, "__version__", "2.11.0")
    measured, _ = measure(
        gpu, monkeypatch, {"a": Small(gpu)}, modes=("cuda-graph", "eager"), energy_seconds=0.0
    )
    captured, eager = measured.rows
    assert captured.series.failure.kind == "could not be captured"
    assert (len(captured.series.rounds), len(eager.series.rounds), eager.series.failure) == (0, 1, None)
    assert {len(peak.series.rounds) for peak in measured.peaks} == {1}
    assert measured.runs[-1].ended.startswith("the device was lost by a, batch 2, float32, cuda-graph: could")


def test_memory_that_is_short_is_seen_ahead(gpu, monkeypatch):
    """Each needs some bytes, and the driver has none left: before one is made ready, all others are let go."""
    device = Cuda(CPU, Telemetry(), clock=gpu.clock)
    assert device.read_free_bytes() == gpu.memory
    for memory, ready in ((1 << 40, 2), (0, 1)):
        gpu.memory = memory
        monkeypatch.setattr(bench, "open_device", lambda _: (device, read_environment(CPU)))
        models = {name: MeasurableModule(Small(gpu), (TensorSpec((2, 4)),), {}) for name in "ab"}
        configurations = [Configuration(model=name, device="cpu", batch=2) for name in models]
        effort = Effort(rounds=2, warm_up=0.0, seconds=0.0, least=2)
        made = bench._Bench(models, configurations, effort, "", None, lambda _: None)
        made.count(lambda _: None)
        made.time(lambda _: None)
        assert len(made._session._ready) == ready
        assert not any(row.series.failure for row in made.collect().rows)


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        # Weights 10 and activations 20 elements.
        ({}, 4 * 10 + 4 * 20),
        ({"dtype": "float16"}, 4 * 10 + 2 * 20),
        ({"dtype": "float64"}, 8 * 10 + 8 * 20),
        ({"dtype": "float16", "autocast": True}, (4 + 2) * 10 + 2 * 20),
        ({"training": True}, (4 + 4) * 10 + 4 * 20),
    ],
)
def test_what_is_needed_is_estimated_from_the_count(settings, size):
    workload = Workload(macs=1, params=10, weight_elements=10, activation_elements=20)
    configuration = Configuration(model="x", device="cuda", **settings)
    assert Row(configuration=configuration, workload=workload).estimated_bytes == size
    assert Row(configuration=configuration).estimated_bytes is None


def test_what_a_batch_finds_on_the_device_is_weights_and_gradients():
    """Before, another batch's gradients were freed unseen, and half of the memory of a step was missing."""
    module = resflops.load("resnet20", device="cpu")
    weights = sum(each.nbytes for each in (*module.parameters(), *module.buffers()))
    assert _count_held_bytes(module) == weights
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    assert _count_held_bytes(module) == weights + sum(each.nbytes for each in module.parameters())


def test_a_captured_training_step_gives_no_graph_of_autograd(monkeypatch):
    given = []
    monkeypatch.setattr(prepare, "_capture_graph", lambda step, _: (given.append(step()), step)[1])
    configuration = Configuration(model="x", device="cpu", mode="cuda-graph", training=True)
    prepare.prepare_model(nn.Linear(4, 4), (torch.ones(2, 4),), {}, configuration)
    assert given[0].grad_fn is None


@pytest.mark.parametrize(
    ("mode", "given", "runs"),
    [
        ("compile", "default", 1),
        # Once to compile, once to capture, once to replay.
        ("compile-max-autotune", "max-autotune", 3),
        ("compile-reduce-overhead", "reduce-overhead", 3),
    ],
)
def test_a_mode_of_the_compiler_is_handed_on_and_nothing_of_it_is_left_to_be_done(
    monkeypatch, mode, given, runs
):
    asked, ran = [], []
    monkeypatch.setattr(
        torch,
        "compile",
        lambda module, **options: (asked.append(options), lambda rows: ran.append(module(rows)))[1],
    )
    prepare.prepare_model(
        nn.Linear(4, 4), (torch.ones(2, 4),), {}, Configuration(model="x", device="cpu", mode=mode)
    )
    assert (asked, len(ran)) == ([{"dynamic": False, "mode": given}], runs)


def test_the_compiler_prints_no_times_of_the_kernels_that_it_tries(monkeypatch):
    from torch._inductor import select_algorithm

    shown = []
    monkeypatch.setattr(
        torch, "compile", lambda module, **_: lambda rows: shown.append(select_algorithm.PRINT_AUTOTUNE)
    )
    configuration = Configuration(model="x", device="cpu", mode="compile-max-autotune")
    prepare.prepare_model(nn.Linear(4, 4), (torch.ones(2, 4),), {}, configuration)
    assert shown[0] is False
    assert select_algorithm.PRINT_AUTOTUNE is True
