"""How long the gate takes: ten built-in models checked, beside torch's import alone.

    python tests/benchmarks/gate.py [--rounds N]

Both are whole processes, from start to end, and take turns; the figure is each one's
fastest round. The models are built, counted and compared with a lock file every time; from the traces that ship
with resflops it takes a tenth of that (commands.py).
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODELS = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet110", "plain34", "vgg11", "vgg16", "vgg19",
)  # fmt: skip

PROGRAMS = {
    "import torch": ["-c", "import torch"],
    "resflops check": ["-m", "resflops", "check", "--fresh"],
}


def seconds(arguments: list[str], folder: Path) -> float:
    """How long a process takes, from its start to its end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Run both in turn and print the times and their ratio."""
    parser = argparse.ArgumentParser(description="The cost gate beside torch's import.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        models = "".join(f'{name} = "{name}"\n' for name in MODELS)
        (folder / "resflops.toml").write_text(f"[models]\n{models}", encoding="utf-8")
        seconds(["-m", "resflops", "lock"], folder)
        best = dict.fromkeys(PROGRAMS, float("inf"))
        for _ in range(rounds):
            for name, arguments in PROGRAMS.items():
                best[name] = min(best[name], seconds(arguments, folder))
    for name, taken in best.items():
        print(f"{name:<15} {taken:6.2f} s")
    ratio = best["resflops check"] / best["import torch"]
    print(f"checking {len(MODELS)} models takes {ratio:.2f} times as long as importing torch")


if __name__ == "__main__":
    main()
