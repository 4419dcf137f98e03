"""Install resflops and what its tests need, in versions known to pass, where this is run.

    .venv/bin/python .ci/install.py

A torch that is there already stays, if it is one that resflops supports and constraints.txt allows:
it is several gigabytes. pip alone would replace it, for it takes the newest torchvision first, and
each torchvision takes exactly one torch; held to the torch that is there, it looks for the
torchvision that goes with it. Other arguments are handed to pip.
"""

import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
CONSTRAINTS = HERE / "constraints.txt"
PROJECT = HERE.parent


def parse(version: str) -> tuple[int, ...]:
    """The numbers of a release, without what it was built for."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0]))


def find_limits() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The oldest torch that resflops supports, and the newest that its tests are known to pass with."""
    oldest = re.search(r'"torch>=([\d.]+)"', (PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    newest = re.search(r"^torch<=([\d.]+)$", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    assert oldest and newest, "pyproject.toml and constraints.txt name a torch each"
    return parse(oldest[1]), parse(newest[1])


def find_kept() -> str:
    """The constraint that holds an installed torch that is in range; empty if there is none."""
    try:
        version = metadata.version("torch").partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""
    oldest, newest = find_limits()
    return f"torch=={version}\n" if oldest <= parse(version) <= newest else ""


def main() -> int:
    """Run pip."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "kept.txt"
        kept.write_text(find_kept(), encoding="utf-8")
        return subprocess.run(
            [*pip, "-c", str(CONSTRAINTS), "-c", str(kept), "-e", f"{PROJECT}[dev]", *sys.argv[1:]],
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
