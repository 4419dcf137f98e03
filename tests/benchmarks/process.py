"""Whole processes: a script that prints resnet34's and vgg19's figures, ours and the peers'.

    python tests/benchmarks/process.py [--rounds N]

Each script does what a user of that tool would write: import it, build both networks,
count them, print. Peers that need real tensors get a model with real weights; the others
get the same one, since that is what their documentation shows. The scripts take turns, so
that whatever else the machine does hits them alike; the figure is each one's fastest
round. `import torch` alone is the floor that nobody can go below.
"""

import argparse
import importlib.util
import subprocess
import sys
import time

NETWORKS = ("resnet34", "vgg19")

IMPORT = "import torch"

OURS = """
import resflops
for name in {names}:
    cost = resflops.count(resflops.load(name), (1, 3, 224, 224))
    print(name, cost.macs, cost.params)
"""

FVCORE = """
import torch, torchvision
from fvcore.nn import FlopCountAnalysis, parameter_count
for name in {names}:
    model = getattr(torchvision.models, name)().eval()
    flops = FlopCountAnalysis(model, torch.randn(1, 3, 224, 224)).unsupported_ops_warnings(False)
    print(name, flops.total(), parameter_count(model)[""])
"""

THOP = """
import torch, torchvision, thop
for name in {names}:
    model = getattr(torchvision.models, name)().eval()
    print(name, *thop.profile(model, (torch.randn(1, 3, 224, 224),), verbose=False))
"""

SCRIPTS = {"import torch": IMPORT, "resflops": OURS, "fvcore": FVCORE, "thop": THOP}


def seconds(script: str) -> float:
    """How long a process takes that runs a script, from its start to its end."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script.format(names=NETWORKS)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def main() -> None:
    """Run the scripts in turn and print their times and ratios."""
    parser = argparse.ArgumentParser(description="Whole processes: resflops, fvcore and thop.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    scripts = {
        name: script
        for name, script in SCRIPTS.items()
        if name not in ("fvcore", "thop") or importlib.util.find_spec(name)
    }
    best = dict.fromkeys(scripts, float("inf"))
    for _ in range(rounds + 1):  # one more, since the first one warms the disk's cache
        for name, script in scripts.items():
            best[name] = min(best[name], seconds(script))
    for name, taken in best.items():
        print(f"{name:<13} {taken:7.2f} s   {taken / best['resflops']:5.2f} times resflops")


if __name__ == "__main__":
    main()
