"""Block C, six to eight minutes: the ResNets and VGGs, and a few others that need torchvision.

python tests/benchmarks/gpu/networks.py [FOLDER]
"""

import importlib.util
import sys

from block import bench, open_folder

OWN = "resnet18 resnet34 resnet50 resnet101 resnet152 vgg11 vgg13 vgg16 vgg19"
OTHERS = " ".join(
    f"torchvision/{name}" for name in ("mobilenet_v2", "efficientnet_b0", "convnext_tiny", "vit_b_16")
)


def main() -> None:
    """Run the block."""
    others = OTHERS if importlib.util.find_spec("torchvision") else ""
    options = (
        f"{OWN} {others} --batch 1 32 --dtype float32 float16 --memory-format channels_last "
        "--mode eager cuda-graph --rounds 5 --warm-up 0.1 --seconds 0.1 --energy-seconds 0 --tf32 on"
    )
    sys.exit(bench(open_folder() / "networks.json", options, budget=480))


if __name__ == "__main__":
    main()
