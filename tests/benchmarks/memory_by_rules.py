"""How far the memory that rules work out from a trace is from that of a pass on shapes.

    python tests/benchmarks/memory_by_rules.py [--batch 4] [NETWORK …]

For each network and way to run: the peak above the weights of the pass on shapes, in MB, and by how many
percent the rules miss it. The networks are those of torchvision; by default ten of them.
"""

import argparse
import sys
from typing import Any

import torchvision  # type: ignore[import-untyped]
from torch import nn

import resflops
from resflops.errors import ResflopsError
from resflops.peak_memory.from_traces import estimate_memory
from resflops.peak_memory.options import read_options

NETWORKS = (
    "resnet18", "resnet50", "vgg19", "densenet121", "vit_b_16", "swin_t", "convnext_tiny",
    "mobilenet_v3_large", "efficientnet_b0", "googlenet",
)  # fmt: skip

WAYS: dict[str, dict[str, Any]] = {
    "inference": {},
    "training": {"training": True},
    "checkpointing": {"training": True, "checkpointing": True},
}


def compare(model: nn.Module, batch: int, options: dict[str, Any]) -> str:
    """Compare the two, and say the difference in a few words."""
    shape = (batch, 3, 224, 224)
    model.train(bool(options))
    try:
        live = resflops.memory(model, shape, **options)
    except ResflopsError as error:
        return f"none: {error}"[:30]
    stored = estimate_memory(resflops.trace(model, shape, lifetimes=True), read_options(**options))
    difference = stored.above_weights / live.above_weights - 1
    return f"{live.above_weights / 1e6:.1f} MB {difference:+.2%}"


def main() -> int:
    """Print one line for each network."""
    parser = argparse.ArgumentParser(description="Rules on a trace beside a pass on shapes.")
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--batch", type=int, default=4)
    given = parser.parse_args()
    print(f"{'':20}", *[f"{way:>22}" for way in WAYS])
    for name in given.networks:
        model = getattr(torchvision.models, name)(weights=None)
        cells = [compare(model, given.batch, options) for options in WAYS.values()]
        print(f"{name:20}", *[f"{cell:>22}" for cell in cells], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
