"""Three minutes: the memory that six networks take on a GPU, to the byte, in 11 ways to run each.

    python tests/benchmarks/gpu/peak_memory.py [FOLDER]

Forward without gradients, and steps of training: plain, with checkpointing, in bfloat16, with autocast, with
a cross-entropy, in batches of 4 and 32. Each begins with an allocator that has reserved nothing, and takes two
steps, the second with what the first has left. Kept are the peaks of ``torch.cuda.memory_stats``, and every
allocation and release in its order, so that an allocator can be replayed and the workspace of kernels be told
apart from tensors. This is the truth that a prediction of memory is compared with: memory_compare.py does.
"""

import copy
import gc
import json
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
import torchvision  # type: ignore[import-untyped]
from block import open_folder
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

NETWORKS = {
    "resnet34": "layer*.*",
    "vgg19": "features",
    "resnet50": "layer*.*",
    "densenet121": "features.denseblock*",
    "vit_b_16": "encoder.layers.*",
    "convnext_tiny": "features.*.*",
}
"""The networks, and the pattern of the layers that are checkpointed."""

TRAINING = {"training": True, "loss": "sum"}
WAYS: tuple[dict[str, Any], ...] = (
    {"batch": 4},
    {"batch": 32},
    {"batch": 4, "dtype": "bfloat16"},
    {"batch": 4, **TRAINING},
    {"batch": 4, **TRAINING, "optimizer": "sgd"},
    {"batch": 4, **TRAINING, "optimizer": "adamw"},
    {"batch": 32, **TRAINING, "optimizer": "adamw"},
    {"batch": 4, **TRAINING, "optimizer": "adamw", "loss": "cross-entropy"},
    {"batch": 4, **TRAINING, "optimizer": "adamw", "dtype": "bfloat16"},
    {"batch": 4, **TRAINING, "optimizer": "adamw", "dtype": "bfloat16", "autocast": True},
    {"batch": 4, **TRAINING, "optimizer": "adamw", "checkpointing": True},
)
"""How each is run: the options of ``resflops.memory``."""

SIDE, CLASSES = 224, 1000
OPTIMIZERS = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}
PEAKS = ("requested", "allocated", "reserved")


def checkpoint_layers(network: nn.Module, pattern: str) -> None:
    """Let the outermost layers of a pattern run their forward pass again in the backward pass."""
    chosen: list[str] = []
    for name, layer in network.named_modules():
        if fnmatchcase(name, pattern) and not any(name.startswith(f"{outer}.") for outer in chosen):
            chosen.append(name)
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)


def prepare(network: nn.Module, way: dict[str, Any]) -> Callable[[Tensor, Tensor], None]:
    """Give the function that takes one step: forward alone, or a step of training."""
    kind = getattr(torch, way.get("dtype", "float32"))
    casting = partial(torch.autocast, "cuda", kind, enabled=way.get("autocast", False))
    if not way.get("training"):
        network.eval()

        def infer(images: Tensor, _targets: Tensor) -> None:
            with torch.no_grad(), casting():
                network(images)

        return infer
    network.train()
    chosen = OPTIMIZERS.get(way.get("optimizer", ""))
    optimizer = chosen and chosen(network.parameters(), lr=1e-4)

    def take_loss(images: Tensor, targets: Tensor) -> Tensor:
        with casting():
            scores: Tensor = network(images)
            return scores.sum() if way["loss"] == "sum" else cross_entropy(scores, targets)

    def train(images: Tensor, targets: Tensor) -> None:
        network.zero_grad(set_to_none=True)
        loss = take_loss(images, targets)
        torch.autograd.backward(loss)
        if optimizer:
            optimizer.step()

    return train


def read_stats(which: str) -> dict[str, int]:
    """Read what the allocator counts: ``current`` or ``peak``."""
    stats = torch.cuda.memory_stats()
    return {name: stats[f"{name}_bytes.all.{which}"] for name in PEAKS}


def read_events(*actions: str) -> list[dict[str, Any]]:
    """Read what the allocator did since it began to take notes."""
    torch.cuda.synchronize()
    events: list[dict[str, Any]] = torch.cuda.memory._snapshot()["device_traces"][0]
    return [event for event in events if event["action"] in (actions or ("alloc", "free_completed"))]


def shorten(events: list[dict[str, Any]]) -> list[int]:
    """Write each allocation as its size, and each release as -1 - the number of the allocation.

    What was there before the notes began is released as 0; nothing should be.
    """
    numbers: dict[int, int] = {}
    short, count = [], 0
    for event in events:
        if event["action"] == "alloc":
            numbers[event["addr"]], count = count, count + 1
            short.append(event["size"])
        else:
            short.append(-1 - numbers.pop(event["addr"], -1))
    return short


def clear() -> None:
    """Let the allocator give back all that it has, the workspaces of cuBLAS, too."""
    gc.collect()
    torch._C._cuda_clearCublasWorkspaces()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()


def measure(name: str, original: nn.Module, way: dict[str, Any]) -> dict[str, Any]:
    """Measure two steps of one network, run in one way."""
    clear()
    result: dict[str, Any] = {"network": name, **way, "left": read_stats("current")}
    torch.cuda.memory._record_memory_history(max_entries=1_000_000, context=None)
    try:
        measure_steps(result, copy.deepcopy(original), way)
    except RuntimeError as error:  # too little memory, or a kernel that is not there
        result["error"] = str(error)
    finally:
        torch.cuda.memory._record_memory_history(enabled=None)
    return result


def measure_steps(result: dict[str, Any], network: nn.Module, way: dict[str, Any]) -> None:
    """Measure two steps, and write down what was found as it is found."""
    kind = getattr(torch, way.get("dtype", "float32")) if not way.get("autocast") else torch.float32
    images = torch.randn(way["batch"], 3, SIDE, SIDE, dtype=kind)
    targets = torch.zeros(way["batch"], dtype=torch.int64)
    network = network.to(kind).cuda()
    images = images.cuda()
    if way.get("loss") == "cross-entropy":
        targets = targets.cuda()
    if way.get("checkpointing"):
        checkpoint_layers(network, NETWORKS[result["network"]])
        result["checkpointing"] = NETWORKS[result["network"]]
    result["parameters"] = sum(tensor.nbytes for tensor in network.parameters())
    result["buffers"] = sum(tensor.nbytes for tensor in network.buffers())
    result["setup"] = {**read_stats("current"), "events": len(read_events())}
    step = prepare(network, way)
    result["steps"] = []
    for _ in range(2):
        torch.cuda.reset_peak_memory_stats()
        before = read_stats("current")
        step(images, targets)
        events = read_events()
        after = {"after": read_stats("current"), "peak": read_stats("peak"), "events": len(events)}
        result["steps"].append({"before": before, **after})
    result["events"] = shorten(events)
    addresses = [event["addr"] for event in read_events("segment_alloc")]
    # Where segments lie decides between free parts of the same size.
    result["segments"] = [address - min(addresses) for address in addresses]


def main() -> None:
    """Measure all, and write after each what there is."""
    file, results, begin = open_folder() / "memory-events.json", list[dict[str, Any]](), time.monotonic()
    about: dict[str, Any] = {
        "device": torch.cuda.get_device_name(),
        "capability": torch.cuda.get_device_capability(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "results": results,
    }
    torch.manual_seed(0)
    for name in NETWORKS:
        original = torchvision.models.get_model(name, weights=None)
        for way in WAYS:
            result = measure(name, original, way)
            results.append(result)
            file.write_text(json.dumps(about, separators=(",", ":")), encoding="utf-8")
            told = {key: value for key, value in result.items() if key != "events"}
            told["seconds"] = round(time.monotonic() - begin, 1)
            print(json.dumps(told), flush=True)
    try:
        from memory_compare import compare
    except ImportError as error:
        print(f"not compared: {error}", flush=True)
        return
    compare(file)


if __name__ == "__main__":
    main()
