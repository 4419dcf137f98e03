"""What ``resflops sweep`` promises: workers that speed it up, kills that lose nothing, candidates by the thousand.

    python tests/benchmarks/sweep_command.py workers [--models …] [--rounds N]    # one worker beside two
    python tests/benchmarks/sweep_command.py kills [--models …] [--kills N]       # kill -9, resume, compare bytes
    python tests/benchmarks/sweep_command.py dask [--models …]                    # two workers, one of them killed
    python tests/benchmarks/sweep_command.py candidates [--count N] [--peers N]   # beside other counters

Each begins with an empty cache, so that every model is traced. ``workers`` also says which share of the
workers' time was not spent on counting: handing batches over, and taking outcomes.
"""

import argparse
import csv
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from resflops.sweeps.journal import Journal

HERE = Path(__file__).resolve().parent
ZOO = ("timm/*", "torchvision/*")
INPUTS = ("3x160x160", "3x224x224", "3x288x288")


def start(folder: Path, out: str, models: Sequence[str], *options: str) -> subprocess.Popen[bytes]:
    """Start a sweep, with a cache of its own."""
    command = [sys.executable, "-m", "resflops", "sweep", *models, "--out", str(folder / out), *options]
    # Traces of an earlier sweep would answer in the place of counts.
    environment = {**os.environ, "RESFLOPS_CACHE": str(folder / "cache")}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)


def run(folder: Path, out: str, models: Sequence[str], *options: str) -> tuple[float, str]:
    """Run a sweep to its end; give the seconds, and what it printed."""
    shutil.rmtree(folder / "cache", ignore_errors=True)
    began = time.perf_counter()
    process = start(folder, out, models, *options)
    printed = process.communicate()[0].decode()
    if process.returncode not in (0, 1):
        sys.exit(f"the sweep ended with {process.returncode}: {printed}")
    return time.perf_counter() - began, printed


def list_inputs(args: argparse.Namespace) -> list[str]:
    """List the options of the inputs."""
    return ["--input", *args.input] if args.input else []


def compare_workers(args: argparse.Namespace, folder: Path) -> None:
    """Run a sweep with one worker and with two, in turns."""
    ratios = []
    for turn in range(args.rounds):
        seconds: dict[int, float] = {}
        for workers in (1, 2) if turn % 2 == 0 else (2, 1):
            out = f"workers{workers}.csv"
            options = (*list_inputs(args), "--workers", str(workers), "--restart", "--fresh")
            seconds[workers], printed = run(folder, out, args.models, *options)
            counting = read_counting_seconds(folder / f"{out}.sweep")
            told = f"; counting {counting / workers / seconds[workers]:.1%} of it" if counting else ""
            print(f"{workers} worker(s): {seconds[workers]:.1f} s{told}")
            print("   ", printed.replace("\n", "\n    ").rstrip())
        shutil.copy(folder / "workers2.csv", folder / "whole.csv")
        (folder / "seconds").write_text(str(seconds[2]), encoding="utf-8")
        same = (folder / "workers1.csv").read_bytes() == (folder / "workers2.csv").read_bytes()
        ratios.append(seconds[1] / seconds[2])
        print(
            f"two workers are {ratios[-1]:.2f} times as fast as one; the files are {'equal' if same else 'DIFFERENT'}"
        )
    print("ratios:", ", ".join(f"{ratio:.2f}" for ratio in ratios))


def read_counting_seconds(journal: Path) -> float:
    """Read for how long the workers of a sweep were counting; 0 if it has left no journal."""
    if not journal.exists():
        return 0.0
    with closing(sqlite3.connect(journal)) as connection:
        return float(connection.execute("SELECT sum(seconds) FROM entries").fetchone()[0])


def kill_and_resume(args: argparse.Namespace, folder: Path) -> None:
    """Kill a sweep at random moments, go on each time, and compare its file with one that was never killed."""
    options = (*list_inputs(args), "--workers", "2")
    for ending in args.formats:
        whole, seconds = run_whole(args, folder, ending)
        chance = random.Random(args.seed)
        shutil.rmtree(folder / "cache", ignore_errors=True)
        out, going_on = f"killed.{ending}", "--restart"
        for kill in range(args.kills):
            process = start(folder, out, args.models, *options, going_on)
            # At any moment, also before it has begun.
            after = chance.uniform(0.1, max(3.0, seconds / args.kills * 1.5))
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
            journal = folder / f"{out}.sweep"
            print(f"kill {kill + 1} after {after:.1f} s: {count_rows(journal):,} rows are kept")
            going_on = "--resume" if journal.exists() else "--restart"
            if (folder / out).exists():
                print("it was done before the kill; the rest of the kills come during a new one")
                (folder / out).unlink()
                going_on = "--restart"
        process = start(folder, out, args.models, *options, going_on)
        print(process.communicate()[0].decode().rstrip())
        same = (folder / out).read_bytes() == whole.read_bytes()
        print(
            f"{ending}: the files are {'equal' if same else 'DIFFERENT'}, {(folder / out).stat().st_size:,} bytes"
        )


def run_whole(args: argparse.Namespace, folder: Path, ending: str) -> tuple[Path, float]:
    """Run a sweep that is never stopped, unless one is there; give its file, and how long it takes."""
    whole = folder / f"whole.{ending}"
    if not whole.exists():
        options = (*list_inputs(args), "--workers", "2", "--restart")
        seconds, printed = run(folder, whole.name, args.models, *options)
        print(f"never stopped: {seconds:.1f} s; {printed.splitlines()[0]}")
        (folder / "seconds").write_text(str(seconds), encoding="utf-8")
    return whole, float((folder / "seconds").read_text(encoding="utf-8"))


def count_rows(journal: Path) -> int:
    """Count the rows that a journal has."""
    if not journal.exists():
        return 0
    with closing(Journal.open(journal)) as opened:
        return opened.summarize().rows


def run_on_dask(args: argparse.Namespace, folder: Path) -> None:
    """Run a sweep on a local cluster of two worker processes, one of which is killed midway."""
    from distributed import Client, LocalCluster

    options = list_inputs(args)
    whole, seconds = run_whole(args, folder, "csv")
    shutil.rmtree(folder / "cache", ignore_errors=True)
    cluster: Any = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)  # type: ignore[no-untyped-call]
    client: Any = Client(cluster)  # type: ignore[no-untyped-call]
    before = client.run(os.getpid)
    process = start(
        folder, "dask.csv", args.models, *options, "--dask", cluster.scheduler_address, "--restart"
    )
    time.sleep(max(10.0, seconds / 2))
    victim = next(iter(before.values()))
    os.kill(victim, signal.SIGKILL)
    print(f"killed a worker after {max(10.0, seconds / 2):.0f} s")
    print(process.communicate()[0].decode().rstrip())
    after = client.run(os.getpid)
    print(f"workers before {sorted(before.values())}, after {sorted(after.values())}")
    client.close()
    cluster.close()
    with (folder / "dask.csv").open(newline="") as file:
        names = [(row["spec"], row["input"] or row["reason"]) for row in csv.DictReader(file)]
    same = (folder / "dask.csv").read_bytes() == whole.read_bytes()
    print(
        f"{len(names):,} rows, {len(set(names)):,} different; the files are {'equal' if same else 'DIFFERENT'}"
    )


def count_candidates(args: argparse.Namespace, folder: Path) -> None:
    """Count the candidates of a search space, and a few of them by other counters."""
    space = f"{HERE / 'cell_space.py'}:candidates,count={args.count}"
    peers = {name: count_by_peer(name, args.peers) for name in ("FlopCounterMode", "fvcore")}
    process = start(
        folder, "cells.csv", [space], "--input", "1x3x32x32", "--workers", str(args.workers), "--restart"
    )
    began = time.perf_counter()
    most: list[int] = []
    import psutil

    while process.poll() is None:
        time.sleep(2)
        most.append(measure_memory(psutil.Process(process.pid)))
    printed = process.communicate()[0].decode()
    seconds = time.perf_counter() - began
    rate = args.count / seconds
    print(printed.rstrip())
    print(f"{args.count:,} candidates in {seconds:.0f} s: {rate:.1f} a second with {args.workers} worker(s)")
    for name, (theirs, number) in peers.items():
        print(
            f"{name}: {theirs:.2f} a second ({number} candidates); ours is {rate / theirs:.0f} times as fast"
        )
    quarters = [most[place * len(most) // 4 : (place + 1) * len(most) // 4] for place in range(4)]
    told = ", ".join(f"{max(quarter, default=0) / 2**20:,.0f} MiB" for quarter in quarters)
    print(f"the most memory of all its processes in each quarter of the time: {told}")


def measure_memory(process: Any) -> int:
    """Measure the memory of a process and of those that it has started, in bytes."""
    import psutil

    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += int(each.memory_info().rss)
        except psutil.Error:
            continue
    return total


def count_by_peer(name: str, count: int) -> tuple[float, int]:
    """Count candidates by another counter in a process of its own; give how many a second."""
    command = [sys.executable, str(HERE / "sweep_command.py"), "peer", "--peer", name, "--peers", str(count)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate, number = printed.split()
    return float(rate), int(number)


def run_peer(args: argparse.Namespace) -> None:
    """Build and count candidates by another counter, in the way its documentation shows."""
    import logging
    import warnings

    import torch
    from cell_space import candidates

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    # A count on shapes would do for it, and is quicker than one on values.
    device = "meta" if args.peer == "FlopCounterMode" else "cpu"
    number, began = -1, 0.0
    for _, build in candidates(args.peers + 1):
        number += 1
        if number == 1:
            # The first one pays for what is done once.
            began = time.perf_counter()
        with torch.device(device):
            model, image = build().eval(), torch.zeros(1, 3, 32, 32)
        if args.peer == "FlopCounterMode":
            from torch.utils.flop_counter import FlopCounterMode

            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                model(image)
            counter.get_total_flops()
        else:
            from fvcore.nn import FlopCountAnalysis  # type: ignore[import-untyped]

            FlopCountAnalysis(model, image).total()
    print(number / (time.perf_counter() - began), number)


def main() -> None:
    """Read the arguments, and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["workers", "kills", "dask", "candidates", "peer"])
    parser.add_argument(
        "--folder", type=Path, help="keep the files here; a sweep that is there is not run again"
    )
    parser.add_argument("--models", nargs="+", default=list(ZOO))
    parser.add_argument("--input", nargs="*", default=list(INPUTS))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--formats", nargs="+", default=["csv"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--peers", type=int, default=30)
    parser.add_argument("--peer", default="fvcore")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.what == "peer":
            run_peer(args)
        else:
            WAYS[args.what](args, args.folder or Path(folder))


WAYS = {
    "workers": compare_workers,
    "kills": kill_and_resume,
    "dask": run_on_dask,
    "candidates": count_candidates,
}

if __name__ == "__main__":
    main()
