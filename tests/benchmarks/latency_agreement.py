"""Our median beside torch.utils.benchmark's and onnxruntime's own loop, and on a GPU beside triton's do_bench too.

    python tests/benchmarks/latency_agreement.py [MODEL ...] [--backend torch|onnxruntime ...]
        [--device cpu|cuda] [--batch N] [--rounds N] [--seconds S]

All of them time the same prepared step of the same model, in one process and in turns: round
by round each takes its samples, in an order that turns about, so that whatever else the
machine does hits all alike. What is printed is the ratio of medians, its 95 % interval by the
bootstrap over rounds, and what that says of the limit, 5 % on the CPU and 3 % on a GPU: "within" where
all of the interval is, "NOT within" where none of it is, and "cannot tell" where the limit is inside.
The exit status is 1 if one is not within.

torch.utils.benchmark sets the number of threads to one unless told otherwise; it is told ours.
It knows wall time only, so on a GPU it is set beside our wall time, and do_bench, which clears
256 MB before every repetition, beside our time from step to step with as much cleared: clearing
takes the GPU a while, in which the processor launches ahead.

onnxruntime times nothing from Python. Its own loop is that of its onnxruntime_perf_test, the clock before and
after each run of one session, and stands here as a plain loop over a session that nothing of ours has opened.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import torch
from torch.utils.benchmark import Timer

from resflops.latency.backends.base import Subject
from resflops.latency.backends.export import ExportedModels
from resflops.latency.backends.exported_model import ExportedModel, to_arrays
from resflops.latency.backends.registry import open_backend
from resflops.latency.configuration import BACKENDS, Configuration
from resflops.latency.cuda import Cuda
from resflops.latency.devices import choose_device, open_device
from resflops.latency.models import MeasurableSpec
from resflops.latency.schedule import order_visits
from resflops.latency.session import Device, warm_up
from resflops.latency.statistics import median, ratio
from resflops.sources import find

LIMITS = {"cpu": 0.05, "cuda": 0.03}

Sampler = Callable[[], list[float]]


CLEARED = 256 * 10**6
"""Bytes that do_bench clears."""


def samplers(
    spec: str,
    backend: str,
    device_name: str,
    device: Device,
    exports: ExportedModels,
    *,
    batch: int,
    seconds: float,
) -> dict[str, tuple[str, Sampler]]:
    """By name, whom each is compared with (itself for ours), and what takes a round of its samples."""
    found = find(spec)
    configuration = Configuration(
        model=spec,
        device=device_name,
        batch=batch,
        input_shape=found.input_shape,
        backend=BACKENDS[backend].name,
    )
    subject = Subject(
        model=MeasurableSpec(found), configuration=configuration, device=device, exports=exports
    )
    step = open_backend(backend).prepare(subject).step
    pace = warm_up(step, device, seconds)
    repetitions = max(3, round(seconds / pace))

    def ours(kind: str, *, cold_l2: bool) -> Sampler:
        def take() -> list[float]:
            step()
            device.wait()
            return list(getattr(device.time_step(step, repetitions, cold_l2=cold_l2), kind))

        return take

    contestants = {"ours, wall": ("", ours("wall", cold_l2=False))}
    if backend != "torch":
        loop = loop_over_session(exports.get(subject.model, configuration), device_name, repetitions)
        return contestants | {"its own loop": ("ours, wall", loop)}
    timer = Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads())

    def blocked() -> list[float]:
        step()
        return list(timer.blocked_autorange(min_run_time=seconds).times)

    contestants["blocked_autorange"] = ("ours, wall", blocked)
    if isinstance(device, Cuda):
        from triton.testing import do_bench

        def triton() -> list[float]:
            return [each / 1e3 for each in do_bench(step, rep=seconds * 1e3, return_mode="all")]

        device.l2_bytes = CLEARED
        contestants["ours, cold L2"] = ("", ours("queued", cold_l2=True))
        contestants["do_bench"] = ("ours, cold L2", triton)
    return contestants


def loop_over_session(exported: ExportedModel, device_name: str, repetitions: int) -> Sampler:
    """A loop like onnxruntime_perf_test's over a session of its own."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    on_gpu = device_name.startswith("cuda")
    providers = ["CUDAExecutionProvider"] * on_gpu + ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(exported.path, options, providers=providers)
    arrays = dict(zip(exported.input_names, to_arrays(exported.inputs), strict=True))

    def run_on_cpu() -> object:
        return session.run(None, arrays)

    run = bind(session, arrays) if on_gpu else run_on_cpu

    def take() -> list[float]:
        run()
        samples = []
        for _ in range(repetitions):
            start = time.perf_counter()
            run()
            samples.append(time.perf_counter() - start)
        return samples

    return take


def bind(session: Any, arrays: dict[str, Any]) -> Callable[[], object]:
    """A run whose inputs and outputs stay on the GPU."""
    import onnxruntime

    binding = session.io_binding()
    for name, array in arrays.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array, "cuda"))
    for output in session.get_outputs():
        binding.bind_output(output.name, "cuda")
    return lambda: session.run_with_iobinding(binding)


def judge(low: float, high: float, limit: float) -> str:
    """Say what an interval of a ratio says of a limit to either side of 1."""
    if max(-math.log(low), math.log(high)) <= math.log1p(limit):
        return "within"
    return "NOT within" if low > 1 + limit or high < 1 / (1 + limit) else "cannot tell whether within"


def report(
    spec: str,
    backend: str,
    device_name: str,
    exports: ExportedModels,
    *,
    batch: int,
    rounds: int,
    seconds: float,
) -> bool:
    """Measure one model, print its lines, and tell whether no ratio is surely beyond the limit."""
    device, _ = open_device(device_name)
    contestants = samplers(spec, backend, device_name, device, exports, batch=batch, seconds=seconds)
    taken: dict[str, list[list[float]]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name in order_visits(list(contestants), number):
            taken[name].append(contestants[name][1]())
    limit, agree = LIMITS[device_name.partition(":")[0]], True
    for name, (other, _) in contestants.items():
        middle = median([sample for each in taken[name] for sample in each])
        line = f"{spec:<10} {backend:<12} {name:<18} {middle * 1e3:10.3f} ms"
        if other:
            found = ratio(taken[other], taken[name])
            said = judge(found.low, found.high, limit)
            agree = agree and said != "NOT within"
            line += f"   {other} / it = {found.value:.4f} ({found.low:.4f} to {found.high:.4f}), {said} {limit:.0%}"
        print(line, flush=True)
    return agree


def main() -> None:
    """Read the command line and compare model by model."""
    parser = argparse.ArgumentParser(description="Our medians beside torch's own and triton's.")
    parser.add_argument("models", nargs="*", default=["resnet34", "vgg19"], metavar="MODEL")
    parser.add_argument("--backend", nargs="+", default=["torch"], choices=["torch", "onnxruntime"])
    parser.add_argument("--device", default=None)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.0, help="of samples for each in each round")
    options = parser.parse_args()
    device = choose_device(options.device)
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads")
    with closing(ExportedModels()) as exports:
        agree = [
            report(
                spec,
                backend,
                device,
                exports,
                batch=options.batch,
                rounds=options.rounds,
                seconds=options.seconds,
            )
            for spec in options.models
            for backend in options.backend
        ]
    sys.exit(0 if all(agree) else 1)


if __name__ == "__main__":
    main()
