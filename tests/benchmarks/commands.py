"""How long commands take, each a whole process, as shares of `import torch` alone.

    python tests/benchmarks/commands.py [--rounds N] [NAME ...]

All take turns, so that whatever else the machine does hits them alike. The figure is the processor time of
each one's cheapest round, its children included. Commands about torchvision's and timm's models are run once
before, so that their traces are in the cache, which is a temporary one; `live` are the same without any stored
trace. A name selects the commands that have it in theirs.
"""

import argparse
import compileall
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TEN = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet110", "plain34", "vgg11", "vgg16", "vgg19",
)  # fmt: skip

OURS = ["-m", "resflops"]
TORCHVISION = [*OURS, "table", "--models", "torchvision/resnet50"]
TIMM = [*OURS, "table", "--models", "timm/vit_base_patch16_224"]

COMMANDS: dict[str, tuple[list[str], float | None]] = {
    "import torch": (["-c", "import torch"], None),
    "--version": ([*OURS, "--version"], 0.03),
    "--help": ([*OURS, "--help"], None),
    "table resnet34 vgg19": ([*OURS, "table", "--models", "resnet34", "vgg19"], 0.12),
    "table resnet34 vgg19, live": ([*OURS, "table", "--models", "resnet34", "vgg19", "--fresh"], None),
    "layers resnet34": ([*OURS, "layers", "resnet34"], 0.12),
    "diff resnet34 resnet50": ([*OURS, "diff", "resnet34", "resnet50"], None),
    "check of ten": ([*OURS, "check"], 0.15),
    "check of ten, live": ([*OURS, "check", "--fresh"], None),
    "count('resnet34')": (["-c", "import resflops; print(resflops.count('resnet34').macs)"], None),
    "table torchvision/resnet50, second": (TORCHVISION, 0.15),
    "table torchvision/resnet50, live": ([*TORCHVISION, "--fresh"], None),
    "table timm/vit_base_patch16_224, second": (TIMM, 0.15),
    "table timm/vit_base_patch16_224, live": ([*TIMM, "--fresh"], None),
}
"""Each command with the share of `import torch` that it may take, if one is set."""


def measure(arguments: list[str], folder: Path) -> float:
    """How many seconds of processor time a process takes, with its children."""
    environment = {**os.environ, "RESFLOPS_CACHE": str(folder / "cache")}
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder / "project", stdout=subprocess.DEVNULL, env=environment
    )
    _, status, used = os.wait4(process.pid, 0)
    # Told, so that it does not wait for a process that has been waited for.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return used.ru_utime + used.ru_stime


def select_commands(names: list[str]) -> dict[str, tuple[list[str], float | None]]:
    """Select the commands that can be run here, and of these the ones that were asked for."""
    return {
        name: command
        for name, command in COMMANDS.items()
        if not any(
            package in name and not importlib.util.find_spec(package) for package in ("torchvision", "timm")
        )
        and (not names or name == "import torch" or any(part in name for part in names))
    }


def main() -> int:
    """Run the commands in turn and print their times and shares."""
    parser = argparse.ArgumentParser(description="Commands beside torch's import.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    commands = select_commands(args.names)
    # As pip does it: without its bytecode a package takes as long to compile as to run.
    package = importlib.util.find_spec("resflops")
    for place in (package.submodule_search_locations if package else None) or ():
        compileall.compile_dir(place, quiet=1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "project").mkdir()
        models = "".join(f'{name} = "{name}"\n' for name in TEN)
        (folder / "project" / "resflops.toml").write_text(f"[models]\n{models}", encoding="utf-8")
        measure([*OURS, "lock"], folder)
        # One round more, which fills the cache and the disk's.
        rounds = [
            {name: measure(arguments, folder) for name, (arguments, _) in commands.items()}
            for _ in range(args.rounds + 1)
        ][1:]
    missed = 0
    floor = min(each["import torch"] for each in rounds)
    for name, (_, limit) in commands.items():
        best = min(each[name] for each in rounds)
        over = limit is not None and best / floor > limit
        missed += over
        allowed = "" if limit is None else f"  of {limit:.2f} allowed{', MISSED' if over else ''}"
        print(f"{name:<41} {best:6.2f} s  {best / floor:5.2f} times import torch{allowed}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
