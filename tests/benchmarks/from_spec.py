"""From a spec to a figure, building included: resflops beside building the model and asking a peer.

    python tests/benchmarks/from_spec.py [SPEC ...] [--rounds N]

Everything is imported before the clock starts. Each peer gets a model that is built as its
users build it, on the CPU with its random weights; FlopCounterMode, which needs no values,
also gets one built under ``torch.device("meta")``. All take turns in one process, so that
whatever else the machine does hits them alike; the figure is each one's fastest round.

What to look at is the last line of each model: the fastest peer's time over ours, among
those that build the real model, and among all.
"""

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from peers import Counter, flop_counter_mode, installed

import resflops
from resflops.sources import find, open_model

ON_META = "FlopCounterMode, meta"


def ours(spec: str) -> int:
    """What resflops does with a spec."""
    opened = open_model(spec)
    return resflops.count(opened.module, *opened.args, **opened.kwargs).total


def theirs(spec: str, counter: Counter, device: str) -> Any:
    """What a peer's user does: the package's own constructor, then the peer."""
    found = find(spec)
    # The constructor that the package's users call: find() has only looked it up.
    with torch.device(device):
        model: Any = found.make()
        return counter(model.eval(), torch.zeros(1, *found.input_shape))


def report(spec: str, rounds: int) -> None:
    """Measure one model and print its lines."""
    calls: dict[str, Callable[[], Any]] = {"resflops": partial(ours, spec)}
    calls |= {name: partial(theirs, spec, counter, "cpu") for name, counter in installed().items()}
    calls[ON_META] = partial(theirs, spec, flop_counter_mode, "meta")
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in list(calls.items()):
            start = time.perf_counter()
            try:
                call()
            except Exception as error:
                print(f"  {name} fails: {str(error).splitlines()[0][:90]}", file=sys.stderr)
                del calls[name], best[name]
                continue
            best[name] = min(best[name], time.perf_counter() - start)
    print(spec)
    for name, seconds in best.items():
        print(f"  {name:<22} {seconds * 1e3:9.2f} ms {seconds / best['resflops']:8.1f} times resflops")
    peers = {name: seconds for name, seconds in best.items() if name != "resflops"}
    real = {name: seconds for name, seconds in peers.items() if name != ON_META}
    for what, among in (("the real model", real), ("any model", peers)):
        fastest = min(among, key=lambda name: among[name])
        ratio = among[fastest] / best["resflops"]
        print(f"  {ratio:.1f} times as fast as building {what} and asking {fastest}", flush=True)


def main() -> None:
    """Read the command line and measure model by model."""
    parser = argparse.ArgumentParser(description="From a spec to a figure, building included.")
    parser.add_argument("specs", nargs="*", default=["torchvision/resnet50"], metavar="SPEC")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, Python {sys.version.split()[0]}")
    with torch.no_grad():
        for spec in options.specs:
            report(spec, options.rounds)


if __name__ == "__main__":
    main()
