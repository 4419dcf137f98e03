"""Twenty seconds: the memory that six networks take at their peak, as the allocator of a GPU counts it.

    python tests/benchmarks/gpu/memory.py [FOLDER]

Each network runs forward without gradients, and trains one step with SGD and with AdamW, in batches of 4 and 32. The
peaks are those of ``torch.cuda.memory_stats``; at batch 4 each allocation and each release is kept in its order, so that
the workspace of kernels can be told apart later. This is the truth that a prediction of memory is to be compared with.
"""

import json
from collections.abc import Callable
from typing import Any

import torch
import torchvision  # type: ignore[import-untyped]
from block import open_folder

NETWORKS = ("resnet34", "vgg19", "resnet50", "densenet121", "vit_b_16", "convnext_tiny")
PEAKS = ("allocated_bytes.all.peak", "requested_bytes.all.peak", "reserved_bytes.all.peak")
SIDE, CLASSES = 224, 1000


def prepare(network: torch.nn.Module, optimizer: str | None) -> Callable[[torch.Tensor], None]:
    """Give the function that takes one step: forward alone, or a step of training."""
    if optimizer is None:
        network.eval()

        def infer(images: torch.Tensor) -> None:
            with torch.inference_mode():
                network(images)

        return infer
    network.train()
    steps = getattr(torch.optim, optimizer)(network.parameters(), lr=1e-4)

    def train(images: torch.Tensor) -> None:
        steps.zero_grad(set_to_none=True)
        network(images).sum().backward()
        steps.step()

    return train


def measure(name: str, optimizer: str | None, batch: int) -> dict[str, Any]:
    """Measure the peaks of the second step, when the state of the optimiser is there."""
    torch.cuda.empty_cache()
    network = torchvision.models.get_model(name, weights=None).cuda()
    images = torch.randn(batch, 3, SIDE, SIDE, device="cuda")
    step = prepare(network, optimizer)
    result: dict[str, Any] = {"network": name, "optimizer": optimizer, "batch": batch}
    for which in ("first", "second"):
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        keeps = batch == 4 and which == "second"
        if keeps:
            torch.cuda.memory._record_memory_history(max_entries=200_000, context=None)
        step(images)
        torch.cuda.synchronize()
        stats = torch.cuda.memory_stats()
        result[which] = {
            "before": before, "after": torch.cuda.memory_allocated(), **{peak: stats[peak] for peak in PEAKS}
        }  # fmt: skip
        if keeps:
            events = torch.cuda.memory._snapshot()["device_traces"][0]
            torch.cuda.memory._record_memory_history(enabled=None)
            result["events"] = [
                [event["action"], event["size"], event.get("addr", 0)]
                for event in events
                if event["action"] in ("alloc", "free_completed")
            ]
    return result


def main() -> None:
    """Measure all, and write after each what there is."""
    file, results = open_folder() / "memory.json", list[dict[str, Any]]()
    for name in NETWORKS:
        for optimizer in (None, "SGD", "AdamW"):
            for batch in (4, 32):
                results.append(measure(name, optimizer, batch))
                told = {key: value for key, value in results[-1].items() if key != "events"}
                print(json.dumps(told), flush=True)
                about = {
                    "device": torch.cuda.get_device_name(),
                    "torch": torch.__version__,
                    "results": results,
                }
                file.write_text(json.dumps(about), encoding="utf-8")


if __name__ == "__main__":
    main()
