"""Block A, four minutes, and seven at most: whether this GPU can be measured at all. Stop here if it fails.

    python tests/benchmarks/gpu/smoke.py [FOLDER]

What the driver and pip say, the tests that need a GPU, agreement with torch.utils.benchmark and with triton's
do_bench, and a small bench.
"""

import sys

from block import bench, open_folder, run


def main() -> None:
    """Run the block; the exit status is that of the first part that failed."""
    out, python = open_folder(), sys.executable
    run(["nvidia-smi", "-q"], seconds=20, log=out / "smi.txt")
    run([python, "-m", "pip", "list"], seconds=20, log=out / "pip.txt")
    tests = [python, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "tests/latency"]
    agreement = [python, "tests/benchmarks/latency_agreement.py", "resnet34", "vgg19", "--device", "cuda"]
    statuses = [
        run(tests, seconds=200, log=out / "gpu-tests.log"),
        run([*agreement, "--batch", "8", "--rounds", "10", "--seconds", "0.2"], seconds=80,
            log=out / "agreement.log"),
        bench(
            out / "smoke.json",
            "resnet34 vgg19 --batch 1 32 --dtype float32 float16 --mode eager cuda-graph --rounds 3 "
            "--seconds 0.1 --energy-seconds 1",
            budget=80,
        ),
    ]  # fmt: skip
    sys.exit(next((status for status in statuses if status), 0))


if __name__ == "__main__":
    main()
