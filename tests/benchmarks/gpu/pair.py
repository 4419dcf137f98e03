"""Block B, eight minutes, and nine and a half at most: the paper's two networks in full, in TF32, float16 and bfloat16.

python tests/benchmarks/gpu/pair.py [FOLDER]
"""

import sys

from block import bench, open_folder


def main() -> None:
    """Run the block."""
    options = (
        "resnet34 vgg19 --batch 1 8 32 128 --dtype float32 float16 bfloat16 "
        "--memory-format contiguous channels_last --mode eager cuda-graph --rounds 5 --warm-up 0.1 --seconds 0.1 "
        "--energy-seconds 1 --tf32 on"
    )
    sys.exit(bench(open_folder() / "pair.json", options, budget=560))


if __name__ == "__main__":
    main()
