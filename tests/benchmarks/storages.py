"""Hold the storages of a trace on shapes to a real run's, and these to data pointers, for all built-in networks.

    python tests/benchmarks/storages.py [NETWORK ...]

``tests/tracing/test_storages.py`` does the same for one network of each family. Ends with 1 if any differs.
"""

import sys
from pathlib import Path
from runpy import run_path

import torch

import resflops
from resflops.models.catalog import NETWORKS
from resflops.sources import open_model

TESTS = Path(__file__).parents[1] / "tracing" / "test_storages.py"


def main(names: list[str]) -> int:
    """Check each network at a fraction of its usual input."""
    different, check_model = 0, run_path(str(TESTS))["check_model"]
    for name in names or NETWORKS:
        _, channels, side, _ = open_model(name).args[0].shape
        image = torch.rand(1, channels, *[32 if side < 64 else 64] * 2)
        try:
            check_model(resflops.load(name, device="cpu").eval(), image)
        except AssertionError:
            different += 1
            print(f"{name}: different")
        else:
            print(f"{name}: equal", flush=True)
    print(f"{different} different")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
