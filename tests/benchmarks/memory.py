"""Peak memory as resflops gives it, beside the truth: what the allocator of the CPU did in a real pass.

    python tests/benchmarks/memory.py [--batch N] [--rounds N] [--save FILE] [NETWORK ...]

15 networks run at batch 4 in four ways: inference, training, training with AdamW, and training whose blocks
are checkpointed. Printed are, per pass, the peak on shapes, whether the same watch over a real pass finds the
same blocks, the allocator's peak with and without kernels' workspace, that of the rules on a stored trace,
and what MemTracker, torchinfo and accelerate say. Then CPU seconds, each tool in its turn, the fastest of
several rounds; the paper's two networks; and how far a process grows that is asked about 70 billion
parameters. ``--save`` keeps all of it as JSON, from which ``resflops report`` makes a page; of networks that
are not named, and of parts that are not, it keeps what the file had.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from memory_networks import NETWORKS, Network
from memory_peers import ask_accelerate, ask_torchinfo, prepare_mem_tracker
from memory_truth import Truth, measure_truth
from msgspec.structs import replace

import resflops
from resflops.errors import ResflopsError
from resflops.peak_memory.comparison import (
    WAYS,
    Comparison,
    LargeModel,
    NetworkFigures,
    PairFigures,
    PassFigures,
    Way,
)
from resflops.peak_memory.options import read_options
from resflops.peak_memory.records import BEFORE, Memory
from resflops.tracing.inputs import list_readings
from resflops.tracing.memory import measure_memory

PAIR, BATCHES = ("resnet34", "vgg19"), (1, 32)

LARGE = """
import json, time
import torch
from transformers import LlamaConfig, LlamaForCausalLM
def read():
    sizes = dict(line.split(":") for line in open("/proc/self/status") if ":" in line)
    return int(sizes["VmHWM"].split()[0]) * 1024
before, start = read(), time.process_time()
import resflops
config = LlamaConfig(num_hidden_layers=80, hidden_size=8192, num_attention_heads=64, num_key_value_heads=8,
                     intermediate_size=28672, vocab_size=128256)
with torch.device("meta"):
    model = LlamaForCausalLM(config).to(torch.bfloat16)
memory = resflops.memory(model, torch.zeros(1, 2048, dtype=torch.long), training=True, optimizer="adamw")
print(json.dumps({"parameters": sum(each.numel() for each in model.parameters()), "peak": memory.peak,
                  "process": read() - before, "seconds": time.process_time() - start}))
"""
"""A Llama of the size of Llama 3 70B: its forward and backward pass on 2,048 tokens, and AdamW's step."""


def list_options(network: Network, way: Way) -> dict[str, Any]:
    """List how a network is run in one of the ways."""
    options: dict[str, Any] = {"training": way != "inference"}
    if way == "training, AdamW":
        options["optimizer"] = "adamw"
    if way == "training, checkpointing":
        options["checkpointing"] = network.checkpointing
    return options


def measure(network: Network, batch: int, way: Way, *, real: bool = False) -> Memory:
    """Measure a pass by the watch, on shapes or for real."""
    model, given = network.model, network.make_input(batch)
    (reading,) = list_readings(model.train(way != "inference"), (given,), {})
    return measure_memory(model, reading, read_options(**list_options(network, way)), real=real)


def estimate(network: Network, batch: int, way: Way) -> int | None:
    """Estimate a pass by rules, from a trace; None if they cannot."""
    model = network.model.train(way != "inference")
    trace = resflops.trace(model, network.make_input(batch), lifetimes=True)
    try:
        return resflops.memory(trace, **list_options(network, way)).peak
    except ResflopsError as error:
        print(f"  {way}, by rules: {error}")
        return None


def ask(question: Callable[[], int]) -> int | str:
    """Ask a tool; the kind of its error if it fails."""
    try:
        return question()
    except Exception as error:
        return type(error).__name__


def ask_tools(network: Network, batch: int, way: Way, paths: tuple[str, ...]) -> dict[str, int | str]:
    """Ask the other tools about a pass."""
    training, adamw = way != "inference", way == "training, AdamW"

    def ask_mem_tracker() -> int:
        return prepare_mem_tracker(network, batch, training=training, adamw=adamw, paths=paths)()

    return {
        "MemTracker": ask(ask_mem_tracker),
        "torchinfo": ask(lambda: ask_torchinfo(network.model, network.make_input(batch))),
        "accelerate": ask(lambda: ask_accelerate(network.model, training=training)),
    }


def compare(network: Network, batch: int, way: Way) -> tuple[PassFigures, Truth]:
    """Compare one pass."""
    shapes, real = (measure(network, batch, way, real=real) for real in (False, True))
    training, adamw = way != "inference", way == "training, AdamW"
    truth = measure_truth(network, batch, training=training, adamw=adamw, paths=shapes.checkpointing)
    before = sum(block.size for block in shapes.blocks if block.born == BEFORE)
    if before != truth.before:
        print(f"  before the pass: {before:,} B on shapes, {truth.before:,} B for real")
    found = PassFigures(
        network=network.name,
        way=way,
        shapes=shapes.peak,
        real=real.peak,
        alike=shapes.steps == real.steps and shapes.blocks == real.blocks,
        before=before,
        allocator=truth.peak,
        without_workspace=truth.without_workspace,
        workspace=truth.workspace_at_peak,
        tools=ask_tools(network, batch, way, shapes.checkpointing),
    )
    return found, truth


def describe(found: PassFigures) -> str:
    """One line of a pass."""
    rules = "" if found.rules is None else f"; rules {found.rules / found.allocator - 1:+.2%}"
    tools = ", ".join(
        f"{name} {said}" if isinstance(said, str) else f"{name} {said / found.allocator - 1:+.1%}"
        for name, said in found.tools.items()
    )
    workspace = ", ".join(f"{op} {size:,}" for op, size in found.workspace.items())
    return (
        f"  {found.way:<24} {found.shapes:>13,} B {'= real' if found.alike else f'real {found.real:,}':<8}"
        f" allocator {found.difference:+.3%}, without workspace {found.difference_without_workspace:+.4%}"
        f" ({found.shapes - found.without_workspace:+,} B){rules}; {tools}"
        f"{'; workspace: ' + workspace if workspace else ''}"
    )


def time_tools(network: Network, batch: int, rounds: int) -> dict[str, float]:
    """Time resflops and the others, each in its turn; the fastest of some rounds in CPU seconds."""
    model, given = network.model, network.make_input(batch)
    questions: dict[str, Callable[[], object]] = {"torchinfo": lambda: ask_torchinfo(model, given)}
    for way, training in (("inference", False), ("training", True)):
        questions[f"resflops, {way}"] = lambda training=training: resflops.memory(  # type: ignore[misc]
            model, given, training=training
        )
        try:
            questions[f"MemTracker, {way}"] = prepare_mem_tracker(network, batch, training=training)
        except Exception as error:
            print(f"  MemTracker, {way}: {type(error).__name__}")
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, question in questions.items():
            start = time.process_time()
            try:
                question()
            except Exception:
                continue
            best[name] = min(best.get(name, float("inf")), time.process_time() - start)
    return best


def compare_pair() -> Iterator[PairFigures]:
    """Measure the paper's two networks on shapes."""
    for way in WAYS:
        for batch in BATCHES:
            for name in PAIR:
                network = next(each for each in NETWORKS if each.name == name)
                memory = measure(network, batch, way)
                yield PairFigures(
                    model=name,
                    way=way,
                    batch=batch,
                    parameters=sum(each.numel() for each in network.model.parameters()),
                    weights=memory.weights,
                    peak=memory.peak,
                    split=memory.split(),
                )


def ask_about_large_model() -> LargeModel:
    """Ask about 70 billion parameters in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LARGE], capture_output=True, text=True, check=True
    )
    return LargeModel(name="Llama 70B", **json.loads(done.stdout.splitlines()[-1]))


def measure_networks(
    names: list[str], known: Comparison, *, rounds: int, parts: list[str], save: Callable[[Comparison], None]
) -> Comparison:
    """Measure the networks that are named, or all; of the others what is known stays."""
    for network in NETWORKS:
        if names and network.name not in names:
            continue
        print(network.name, flush=True)
        passes = list(known.select(network.name))
        figures = next((each for each in known.networks if each.network == network.name), None)
        if "passes" in parts:
            found = {way: compare(network, known.batch, way) for way in WAYS}
            passes = [each for each, _ in found.values()]
            figures = NetworkFigures(
                network=network.name,
                parameters=sum(each.numel() for each in network.model.parameters()),
                largest_workspace=found["training"][1].workspace,
                seconds={} if figures is None else figures.seconds,
            )
        if "rules" in parts:
            passes = [replace(each, rules=estimate(network, known.batch, each.way)) for each in passes]
        if "seconds" in parts and figures is not None:
            figures = replace(figures, seconds=time_tools(network, known.batch, rounds))
            print("  " + ", ".join(f"{name} {value:.2f} s" for name, value in figures.seconds.items()))
        for each in passes:
            print(describe(each), flush=True)
        known = merge(known, passes, figures)
        save(known)
        vars(network).pop("model", None)
    return known


def merge(known: Comparison, passes: list[PassFigures], figures: NetworkFigures | None) -> Comparison:
    """Put the figures of one network into those that are known, in the order of NETWORKS."""
    order = [network.name for network in NETWORKS]
    name = passes[0].network
    others = [each for each in known.passes if each.network != name]
    networks = [each for each in known.networks if each.network != name]
    networks += [] if figures is None else [figures]
    return replace(
        known,
        passes=tuple(sorted([*others, *passes], key=lambda each: order.index(each.network))),
        networks=tuple(sorted(networks, key=lambda each: order.index(each.network))),
    )


PARTS = ("passes", "rules", "seconds", "pair", "large")


def main() -> None:
    """Read the command line, compare, print and save."""
    parser = argparse.ArgumentParser(
        description="Peak memory beside the allocator's and other tools' figures."
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    known = Comparison(
        torch=torch.__version__.partition("+")[0],
        python=platform.python_version(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        batch=options.batch,
    )
    if options.save and options.save.exists():
        known = Comparison.load(options.save)

    def save(found: Comparison) -> None:
        if options.save:
            found.save(options.save)

    # What a kernel takes for itself depends on its threads; and two that wait for each other on busy cores take long.
    torch.set_num_threads(1)
    if {"passes", "rules", "seconds"} & set(options.parts):
        known = measure_networks(
            options.networks, known, rounds=options.rounds, parts=options.parts, save=save
        )
    if "pair" in options.parts:
        known = replace(known, pair=tuple(compare_pair()))
        for each in known.pair:
            print(
                f"{each.model}, batch {each.batch}, {each.way}: {each.peak:,} B, "
                f"{each.above_weights:,} B above weights"
            )
        save(known)
    if "large" in options.parts:
        known = replace(known, large=(large := ask_about_large_model()))
        print(
            f"{large.name}: {large.peak:,} B; the process grew by {large.process:,} B in {large.seconds:.1f} s"
        )
        save(known)


if __name__ == "__main__":
    main()
