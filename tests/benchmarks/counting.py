"""How long one count of a built model takes, beside every peer that is installed.

    python tests/benchmarks/counting.py [MODEL ...] [--device cpu|meta] [--rounds N]

All counters run in one process, one after the other in each round, so that whatever else
the machine does hits them alike. The figure is the fastest of the rounds: everything that
disturbs a measurement makes it longer. Each counter has its own copy of the model, since
some leave traces on it. The floor is the model's own Python: the forward pass replayed
with every torch function handing back a result made beforehand.

What to look at is the last column: the fastest peer's time over ours.
"""

import argparse
import copy
import logging
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

MODELS = ["resnet18", "resnet50", "resnet152", "vgg16", "vgg19"]


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


def report(spec: str, device: str, rounds: int) -> None:
    """Measure one model and print its line."""
    found = find(spec)
    model, image = resflops.load(spec, device=device), torch.zeros(1, *found.input_shape, device=device)
    with torch.no_grad():
        times = best_times(contestants(model, image), rounds)
    peers = {name: seconds for name, seconds in times.items() if name not in ("floor", "resflops")}
    fastest = min(peers, key=lambda name: peers[name])
    columns = "  ".join(f"{name} {seconds * 1e3:8.2f}" for name, seconds in times.items())
    print(
        f"{spec:<12} {device:<5} ms: {columns}  | {times['resflops'] / times['floor']:.1f} times the floor, "
        f"{peers[fastest] / times['resflops']:.0f} times as fast as {fastest}",
        flush=True,
    )


def main() -> None:
    """Read the command line and measure model by model."""
    parser = argparse.ArgumentParser(description="One count of a built model, beside every installed peer.")
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--device", choices=("cpu", "meta"), nargs="+", default=["cpu", "meta"])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, Python {sys.version.split()[0]}")
    for device in options.device:
        for spec in options.models:
            report(spec, device, options.rounds)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
