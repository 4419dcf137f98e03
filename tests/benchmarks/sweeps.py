"""Sweeps in one process: candidates of an architecture search, and all of timm and of torchvision.

    python tests/benchmarks/sweeps.py [nas] [timm] [torchvision] [--every N] [--candidates N] [--rounds N]
    python tests/benchmarks/sweeps.py nas --against FOLDER       # another version's folder, such as a git worktree

A candidate is a random network of NAS-Bench-201's search space, as its paper builds them: 15 cells of
six edges, on 32x32 images. Each is found, built and counted by its spec, as a table of a pattern does it.

Every sweep runs in a process of its own, which imports everything first. With --against the two versions
take turns, round by round; what is compared is the processor time of each one's fastest round. Both count
the same models, and the sums of their figures must agree.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from msgspec.structs import replace

HERE = Path(__file__).resolve()
OURS = HERE.parents[2]
NETWORKS = HERE.parent / "nas_networks.py"


def list_specs(sweep: str, every: int, candidates: int) -> list[str]:
    """List the specs of a sweep."""
    from resflops.sources import expand

    if sweep == "nas":
        return [f"{NETWORKS}:candidate,number={number}" for number in range(candidates)]
    return list(expand(f"{sweep}/*"))[::every]


def run_sweep(sweep: str, every: int, candidates: int) -> dict[str, float]:
    """Run one sweep in this process, and give its figures."""
    import resflops.api  # noqa: F401 - imports what a count needs, before the clock
    from resflops.cost.convention import find_convention
    from resflops.sources import counting
    from resflops.sources.counting import CountRequest

    warnings.simplefilter("ignore")
    specs = list_specs(sweep, every, candidates)
    shape = (3, 32, 32) if sweep == "nas" else None
    batched = None if shape is None else (1, *shape)
    convention = find_convention("macs")
    requests = [CountRequest(spec=spec, input_shape=batched, convention=convention) for spec in specs]
    # A version before there were stored traces has no such field, and takes every trace anyway.
    if "fresh" in CountRequest.__struct_fields__:
        requests = [replace(request, fresh=True) for request in requests]
    counted, macs = 0, 0
    start, cpu = time.perf_counter(), time.process_time()
    for outcome in counting.count_models(requests, say=lambda _: None):
        if not isinstance(outcome, Exception):
            counted, macs = counted + 1, macs + outcome.cost.macs
    return {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - start,
        "models": len(specs),
        "counted": counted,
        "macs": macs,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure(folder: Path, sweep: str, options: argparse.Namespace) -> dict[str, float]:
    """Run a sweep with the version in a folder, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE), sweep, "--every", str(options.every), "--candidates", str(options.candidates),
         "--here"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def report(sweep: str, options: argparse.Namespace) -> Iterator[str]:
    """Measure a sweep, and describe it in lines."""
    folders = {"this version": OURS} | ({str(options.against): options.against} if options.against else {})
    best: dict[str, dict[str, float]] = {}
    for _ in range(options.rounds):
        for name, folder in folders.items():
            figures = measure(folder, sweep, options)
            if name not in best or figures["cpu"] < best[name]["cpu"]:
                best[name] = figures
    yield f"{sweep}: {best['this version']['counted']:.0f} of {best['this version']['models']:.0f} models counted"
    for name, figures in best.items():
        yield (
            f"  {name:<24} {figures['cpu']:8.2f} s of processor time, {figures['wall']:8.2f} s, "
            f"{figures['models'] / figures['cpu']:7.1f} models a second, peak {figures['peak']:,.0f} MiB"
        )
    if options.against:
        ours, theirs = best["this version"], best[str(options.against)]
        agree = (
            "agree" if (ours["macs"], ours["counted"]) == (theirs["macs"], theirs["counted"]) else "DIFFER"
        )
        yield f"  {ours['cpu'] / theirs['cpu']:.2f} of its time, {theirs['cpu'] / ours['cpu']:.2f} times as fast; figures {agree}"


def main() -> None:
    """Read the command line and run the sweeps."""
    parser = argparse.ArgumentParser(description="Sweeps in one process.")
    parser.add_argument("sweeps", nargs="*", default=["nas"], metavar="SWEEP", help="nas, timm, torchvision")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another version, to take turns with")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth model of a package")
    parser.add_argument("--candidates", type=int, default=300, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for sweep in options.sweeps:
        if options.here:
            print(json.dumps(run_sweep(sweep, options.every, options.candidates)))
        else:
            for line in report(sweep, options):
                print(line, flush=True)


if __name__ == "__main__":
    main()
