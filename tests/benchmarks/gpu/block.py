"""What the blocks have in common: a folder for what they bring, and commands that end by themselves."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["bench", "open_folder", "run"]

ROOT = Path(__file__).parents[3]


def open_folder() -> Path:
    """Give the folder for the results: the argument of the command, ``$OUT``, or ``gpu-results``."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OUT", "gpu-results"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(command: Sequence[str], *, seconds: float, log: Path | None = None) -> int:
    """Run a command for some seconds at most, show what it says, and keep that in a file.

    It is told to end by SIGTERM, on which a bench keeps all that it has measured.
    """
    print("$", " ".join(command), flush=True)
    if shutil.which(command[0]) is None:
        print(f"there is no {command[0]} here", flush=True)
        return 127
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=ROOT
    ) as process:
        try:
            out, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            out, _ = process.communicate()
    print(out, flush=True)
    if log is not None:
        log.write_text(out, encoding="utf-8")
    return process.returncode


def bench(file: Path, options: str, *, budget: float) -> int:
    """Measure for so many seconds at most, and save to a file what there is then."""
    command = [
        sys.executable,
        "-m",
        "resflops",
        "bench",
        *options.split(),
        "--device",
        "cuda",
        "--no-progress",
    ]
    # Its own budget ends it between two configurations; the limit is for one that hangs.
    return run([*command, "--budget", str(budget), "--save", str(file.resolve())], seconds=budget + 60)
