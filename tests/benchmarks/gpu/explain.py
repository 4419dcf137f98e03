"""Block D, five minutes, and seven at most: what explains the times of block B.

    python tests/benchmarks/gpu/explain.py [FOLDER]

IEEE float32, the time of layers, a cold L2 cache, cuDNN's own choice of kernels, and compiled networks.
"""

import sys

from block import bench, open_folder

USUAL = "resnet34 vgg19 --rounds 5 --seconds 0.1 --energy-seconds 0"

PARTS = {
    "ieee": ("--batch 1 32 --mode cuda-graph --tf32 off", 40),
    "layers": ("--batch 1 32 --dtype float32 float16 --layers", 75),
    "cold": ("--batch 1 --dtype float16 --cold-l2 --mode eager cuda-graph", 30),
    "cudnn-benchmark": (
        "--batch 1 32 --dtype float32 float16 --memory-format contiguous channels_last --mode cuda-graph "
        "--cudnn-benchmark on",
        150,
    ),
    "compile": ("--batch 32 --dtype float16 --memory-format channels_last --mode compile", 90),
}
"""What is measured, by the name of its file, and the seconds that it may take."""


def main() -> None:
    """Run the block; a part that fails does not keep the others from running."""
    out = open_folder()
    statuses = [
        bench(out / f"{name}.json", f"{USUAL} {options}", budget=budget)
        for name, (options, budget) in PARTS.items()
    ]
    sys.exit(next((status for status in statuses if status), 0))


if __name__ == "__main__":
    main()
