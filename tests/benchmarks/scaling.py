"""Time grows in proportion to the number of ops, and memory hardly at all.

    python tests/benchmarks/scaling.py

Counts the CIFAR ResNets from 20 to 1202 layers and chains of up to 5,000 linear layers, and
prints microseconds an op, which should stay the same down each column. Then, each in a process
of its own, some large models of the packages that are installed: how much the process's peak
memory grows above what importing the packages takes, and how many pages of the packages' own
libraries it reads from disk for the first time meanwhile. And what a thousand counts of three
networks add to the memory that ten have taken.
"""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

import torch
from torch import nn

import resflops
from resflops.cost import Cost

MEMORY = """
import time, torch, resflops, resflops.api
{imports}
def read():
    sizes = dict(line.split(":") for line in open("/proc/self/status") if ":" in line)
    return [int(sizes[name].split()[0]) / 1024 for name in ("VmHWM", "RssFile")]
before, start = read(), time.perf_counter()
{count}
seconds = time.perf_counter() - start
peak, pages = (now - then for now, then in zip(read(), before))
print(f"{{cost.params:,}} parameters, {{cost.macs:,}} MACs, {{seconds:.1f}} s, "
      f"{{peak - pages:.0f}} MiB more, and {{pages:.0f}} MiB of libraries")
"""

BUILT = """
from resflops.sources import open_model
opened = open_model({spec!r})
cost = resflops.count(opened.module, *opened.args, **opened.kwargs)
"""

LARGE = {
    "": ("vgg19", "resnet1202"),
    "torchvision": (
        "torchvision/vit_h_14",
        "torchvision/densenet201",
        "torchvision/fasterrcnn_resnet50_fpn",
        "torchvision/maskrcnn_resnet50_fpn_v2",
        "torchvision/keypointrcnn_resnet50_fpn",
        "torchvision/retinanet_resnet50_fpn",
        "torchvision/fcos_resnet50_fpn",
        "torchvision/ssd300_vgg16",
    ),
    "timm": ("timm/eva_giant_patch14_560",),
}
"""By the package that has to be imported: specs of large models."""

GROWTH = """
import gc, torch, resflops
def read():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20, len(gc.get_objects())
models = [(resflops.load(name), shape) for name, shape in
          (("resnet50", (1, 3, 224, 224)), ("vgg19", (1, 3, 224, 224)), ("resnet20", (1, 3, 32, 32)))]
def count(times):
    for number in range(times):
        resflops.count(*models[number % 3])
count(10)
before, objects = read()
count(1000)
after, later = read()
print(f"{after - before:+.1f} MiB, {later - objects:+,} objects")
"""

LLAMA = (
    "from transformers import LlamaConfig, LlamaForCausalLM",
    """
config = LlamaConfig(num_hidden_layers=126, hidden_size=16384, num_attention_heads=128, num_key_value_heads=8,
                     intermediate_size=53248, vocab_size=128256)
with torch.device("meta"):
    model = LlamaForCausalLM(config).eval()
cost = resflops.count(model, torch.zeros(1, 128, dtype=torch.long))
""",
)


def fastest(call: Callable[[], Cost], *, repeats: int = 7) -> tuple[float, int]:
    """Seconds of the fastest of some calls, and the number of ops counted."""
    best, ops = float("inf"), 0
    for _ in range(repeats):
        start = time.perf_counter()
        ops = len(call().trace.ops)
        best = min(best, time.perf_counter() - start)
    return best, ops


def column(title: str, models: Iterable[tuple[str, nn.Module, tuple[int, ...]]]) -> None:
    """One line a model: ops, milliseconds, microseconds an op."""
    print(title)
    for name, model, shape in models:
        seconds, ops = fastest(lambda model=model, shape=shape: resflops.count(model, shape))  # type: ignore[misc]
        print(f"  {name:<14} {ops:>6} ops {seconds * 1e3:>9.2f} ms {seconds / ops * 1e6:>7.1f} µs an op")


def memory(name: str, imports: str, count: str) -> None:
    """One line: what a count adds to a process's memory."""
    script = MEMORY.format(imports=imports, count=count)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    print(f"  {name:<36} {done.stdout.strip()}")


def chain(length: int) -> nn.Module:
    """So many linear layers one after the other, without weights."""
    with torch.device("meta"):
        return nn.Sequential(*(nn.Linear(8, 8) for _ in range(length)))


def main() -> None:
    """Measure and print."""
    depths = (20, 32, 44, 56, 110, 1202)
    column("CIFAR ResNets", ((f"resnet{n}", resflops.load(f"resnet{n}"), (1, 3, 32, 32)) for n in depths))
    column("chains", ((f"{n} layers", chain(n), (1, 8)) for n in (50, 500, 5000)))
    print("memory, building included")
    for package, specs in LARGE.items():
        if not package or importlib.util.find_spec(package):
            for spec in specs:
                memory(spec, f"import {package}" if package else "", BUILT.format(spec=spec))
    if importlib.util.find_spec("transformers"):
        memory("Llama 405B", *LLAMA)
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True)
    print(f"a thousand counts: {done.stdout.strip()}")


if __name__ == "__main__":
    main()
