"""How long one count of a built model takes, beside every peer that is installed.

    python tests/benchmarks/counting.py [MODEL ...] [--device cpu|meta] [--rounds N]

All counters run in one process, one after the other in each round, so that whatever else
the machine does hits them alike. The figure is the fastest of the rounds: everything that
disturbs a measurement makes it longer. Each counter has its own copy of the model, since
some leave traces on it. The floor is the model's own Python: the forward pass replayed
with every torch function handing back a result made beforehand.

What to look at is the last column: the fastest peer's time over ours; the last line has the
geometric mean of it over ten networks of many kinds.
"""

import argparse
import copy
import json
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peers import installed
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import resflops
from resflops.sources import find

RESNETS_AND_VGGS = [
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "vgg11", "vgg13", "vgg16", "vgg19",
]  # fmt: skip
TEN = [
    f"torchvision/{name}"
    for name in (
        "resnet18", "resnet50", "resnet152", "vgg19", "vit_b_16", "swin_t", "convnext_tiny",
        "mobilenet_v3_large", "densenet121", "efficientnet_b0",
    )
]  # fmt: skip


class _Recorded(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.results: list[Any] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.results.append(result)
        return result


class _Replayed(TorchFunctionMode):
    def __init__(self, results: list[Any]) -> None:
        super().__init__()
        self.results: Iterator[Any] = iter(results)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return next(self.results)


def floor(model: nn.Module, image: Tensor) -> Callable[[], None]:
    """The forward pass with nothing in it but the model's own Python."""
    model, image = copy.deepcopy(model).to("meta"), image.to("meta")
    with torch.no_grad(), _Recorded() as recorded:
        model(image)

    def replay() -> None:
        with torch.no_grad(), _Replayed(recorded.results):
            model(image)

    return replay


def contestants(model: nn.Module, image: Tensor) -> dict[str, Callable[[], Any]]:
    """Every counter with its own copy of the model, ready to be called."""
    found: dict[str, Callable[[], Any]] = {"floor": floor(model, image)}
    found["resflops"] = lambda: resflops.count(model, image).total
    for name, counter in installed().items():
        found[name] = partial(counter, copy.deepcopy(model), image)
    return found


def best_times(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds of each call's fastest round; a counter that fails has none."""
    best: dict[str, float] = {}
    failed: set[str] = set()
    for _ in range(rounds):
        for name, call in calls.items():
            if name in failed:
                continue
            # Counters of some milliseconds are repeated within a round, so that they get
            # the same chance of an undisturbed moment as the slow ones.
            for _ in range(10 if name in ("floor", "resflops") else 1):
                start = time.perf_counter()
                try:
                    call()
                except Exception as error:
                    failed.add(name)
                    print(f"  {name} fails: {str(error).splitlines()[0][:90]}", file=sys.stderr)
                    break
                best[name] = min(best.get(name, float("inf")), time.perf_counter() - start)
    return {name: seconds for name, seconds in best.items() if name not in failed}


def report(spec: str, device: str, rounds: int) -> tuple[float, dict[str, float]]:
    """Measure one model and print its line.

    Returns:
        How many times as fast as the fastest peer we are, and all times.
    """
    found = find(spec)
    model, image = resflops.load(spec, device=device), torch.zeros(1, *found.input_shape, device=device)
    with torch.no_grad():
        times = best_times(contestants(model, image), rounds)
    peers = {name: seconds for name, seconds in times.items() if name not in ("floor", "resflops")}
    fastest = min(peers, key=lambda name: peers[name])
    ratio = peers[fastest] / times["resflops"]
    columns = "  ".join(f"{name} {seconds * 1e3:.2f}" for name, seconds in times.items())
    print(
        f"{spec:<30} {device:<5} {times['resflops'] / times['floor']:4.1f} times the floor, "
        f"{ratio:4.0f} times as fast as {fastest:<15} | ms: {columns}",
        flush=True,
    )
    return ratio, times


def main() -> None:
    """Read the command line and measure model by model."""
    parser = argparse.ArgumentParser(description="One count of a built model, beside every installed peer.")
    parser.add_argument("models", nargs="*", default=[*RESNETS_AND_VGGS, *TEN], metavar="MODEL")
    parser.add_argument("--device", choices=("cpu", "meta"), nargs="+", default=["cpu", "meta"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="a file for the times, which how_fast.py draws"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    machine = f"torch {torch.__version__}, {torch.get_num_threads()} threads, Python {sys.version.split()[0]}"
    print(machine)
    measured, means = [], {}
    for device in options.device:
        ratios = {}
        for spec in options.models:
            ratios[spec], times = report(spec, device, options.rounds)
            measured.append({"spec": spec, "device": device, "seconds": times})
        if ten := [ratios[spec] for spec in TEN if spec in ratios]:
            means[device] = statistics.geometric_mean(ten)
            print(
                f"geometric mean over {len(ten)} of torchvision's, {device}: {means[device]:.1f}", flush=True
            )
    if options.save:
        run = {"machine": machine, "rounds": options.rounds, "means": means, "measured": measured}
        options.save.write_text(json.dumps(run, indent=1) + "\n")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
