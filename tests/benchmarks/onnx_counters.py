"""onnx-tool beside resflops on ONNX files: both figures, what makes the difference, and the seconds of both.

    python tests/benchmarks/onnx_counters.py [--rounds N] [--files FOLDER] [--save FILE.json] [NETWORK …]

The networks are those of ``onnx_graphs.py``, by both of torch's exporters, each in a file of its own with its weights. Of each file: our multiply-accumulates, which are those of the module, the counter's figure,
and what is left over when the causes of its difference are taken off. Then the seconds of a count in a process that
has all imports behind it, and of whole processes, ``resflops layers FILE`` and ``python -m onnx_tool -i FILE``, both
of which print a row for each layer or node. The two take turns; the figure is the median of all rounds.

A figure of ours that is below the module's is that of a file into which the exporter has folded products of constants,
and the line says so.

Exit status 1 if a figure of ours is above the module's, or a difference is not explained to the last operation.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import onnx
import torch
from msgspec import Struct, to_builtins
from onnx_graphs import NETWORKS, SIZES, export

import resflops
from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version
from resflops.crosschecking.graph_files import GraphFile, ask_onnx_tool
from resflops.sources.onnx_files import loading

EXPORTERS = {"new": True, "old": False}
"""Torch's two exporters, and the argument that chooses between them."""


class Compared(Struct, kw_only=True):
    """One file."""

    network: str
    exporter: str
    bytes: int
    module_macs: int
    macs: int
    figure: int | None
    unexplained: int
    causes: dict[str, int]
    failure: str
    seconds: dict[str, dict[str, list[float]]]
    """Of a count and of a process, by counter: every round."""

    @property
    def folded(self) -> int:
        """Multiply-accumulates of the module that the file does not have."""
        return self.module_macs - self.macs

    @property
    def explained(self) -> bool:
        return self.folded >= 0 and (self.figure is None or not self.unexplained)

    def ratio(self, what: str) -> float:
        """How many times as long as ours the counter takes."""
        taken = {name: median(rounds) for name, rounds in self.seconds[what].items()}
        return taken["onnx-tool"] / taken["resflops"]


def name_file(network: str, exporter: str, folder: Path) -> Path:
    return folder / f"{network}-{exporter}.onnx"


def write_file(network: str, exporter: str, folder: Path) -> tuple[Path, int]:
    """Export a network, unless its file is there, and count its module."""
    path = name_file(network, exporter, folder)
    if not path.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            onnx.save(export(network, dynamo=EXPORTERS[exporter]), path)
    size = SIZES.get(network, 224)
    return path, resflops.count(f"torchvision/{network}", (1, 3, size, size)).macs


def take_turns(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Time calls in turns, after one round that is not timed."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken = time.perf_counter() - start
            if number:
                seconds[name].append(taken)
    return seconds


def time_counts(path: Path, shapes: dict[str, tuple[int, ...]], rounds: int) -> dict[str, list[float]]:
    """Time counts of a file in this process, which has all imports behind it."""

    def count() -> None:
        # A command reads its file once, and so does the other counter.
        loading._load.cache_clear()
        resflops.count(path)

    return take_turns(
        {"resflops": count, "onnx-tool": lambda: ask_onnx_tool(GraphFile(graph=path, shapes=shapes))}, rounds
    )


def time_processes(path: Path, rounds: int) -> dict[str, list[float]]:
    """Time whole processes, from their start to their end."""

    def run(*arguments: str) -> None:
        command = [sys.executable, "-W", "ignore", "-m", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return take_turns(
        {
            "resflops": lambda: run("resflops", "layers", os.fspath(path)),
            "onnx-tool": lambda: run("onnx_tool", "-i", os.fspath(path)),
        },
        rounds,
    )


def compare(network: str, exporter: str, folder: Path, rounds: int) -> Compared:
    """Compare the two on one file."""
    path, module_macs = write_file(network, exporter, folder)
    trace = resflops.trace(path)
    (row,) = resflops.crosscheck(path, peers="onnx-tool").rows
    shapes = {each.name: each.shape for each in trace.inputs}
    return Compared(
        network=network,
        exporter=exporter,
        bytes=path.stat().st_size,
        module_macs=module_macs,
        macs=row.macs,
        figure=row.figure,
        unexplained=row.unexplained,
        causes={cause.name: cause.amount for cause in row.causes},
        failure=row.failure,
        seconds={}
        if row.failure
        else {"count": time_counts(path, shapes, rounds), "process": time_processes(path, rounds)},
    )


def describe(one: Compared) -> str:
    """Write the line of one file."""
    line = f"{one.network:20} {one.exporter:4} {one.macs:>15,}"
    if one.figure is None:
        return f"{line} {one.failure}"
    figures = f"{line} {one.figure:>15,} {one.figure / one.macs - 1:>+8.2%} {one.unexplained:>11,}"
    times = [
        f"{median(one.seconds[what]['resflops']):8.3f} {median(one.seconds[what]['onnx-tool']):8.3f} "
        f"{one.ratio(what):6.1f}×"
        for what in ("count", "process")
    ]
    folded = f"{one.folded:,} folded by the exporter" if one.folded else ""
    return " ".join([figures, *times, folded, "" if one.explained else "NOT EXPLAINED"]).rstrip()


def summarise(compared: list[Compared]) -> Iterator[str]:
    """Sum up what all files together say."""
    causes: dict[str, int] = {}
    for one in compared:
        for name in one.causes:
            causes[name] = causes.get(name, 0) + 1
    yield "causes, and of how many files: " + ", ".join(
        f"{name} ({count})" for name, count in sorted(causes.items(), key=lambda each: -each[1])
    )
    timed = [one for one in compared if one.seconds]
    if timed:
        shares = [one.figure / one.macs - 1 for one in timed if one.figure is not None]
        yield f"onnx-tool's figure is {min(shares):+.2%} to {max(shares):+.2%} off the multiply-accumulates"
        for what, name in (("count", "a count"), ("process", "a whole process")):
            ratios = [one.ratio(what) for one in timed]
            yield (
                f"{name} takes onnx-tool {geometric_mean(ratios):.1f} times as long as resflops "
                f"({min(ratios):.1f} to {max(ratios):.1f})"
            )
    same = sum(not one.folded for one in compared)
    explained = sum(one.explained for one in compared)
    yield f"of {len(compared)} files, our figure is the module's for {same}, and the difference explained for {explained}"


def main() -> int:
    """Compare the two on every file, and print what is found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--files", type=Path, help="keep the exported files here, and use those that are here"
    )
    parser.add_argument("--save", type=Path, help="write every sample to this JSON file")
    given = parser.parse_args()
    compared: list[Compared] = []
    print(f"{'':25} {'MACs':>15} {'onnx-tool':>15} {'off':>8} {'unexplained':>11} count: ours, its, times;",
          "process: ours, its, times")  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.files or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for network in given.networks:
            for exporter in EXPORTERS:
                compared.append(compare(network, exporter, folder, given.rounds))
                print(describe(compared[-1]), flush=True)
                if not given.files:
                    name_file(network, exporter, folder).unlink()
    print("\n".join(summarise(compared)))
    if given.save:
        made_with = {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "onnx-tool": find_installed_version(PEERS["onnx-tool"]),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        }
        document = {"made_with": made_with, "rounds": given.rounds, "files": to_builtins(compared)}
        given.save.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0 if all(one.explained for one in compared) else 1


if __name__ == "__main__":
    sys.exit(main())
