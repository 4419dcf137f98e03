"""Write constraints.txt: the versions, in the environment that runs this, of all that the tests use.

    nox -f .ci/noxfile.py -s newest    # the newest of everything in a new environment, this, and the tests

Everything is pinned but torch, torchvision and what torch itself needs. Those two get an upper limit:
whoever has an older torch keeps it (install.py says how).
"""

import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

FILE = Path(__file__).with_name("constraints.txt")

EXTRAS = ("dev", "peers")

LIMITED = ("torch", "torchvision")
"""Torch's builds differ by machine, and each torchvision takes exactly one of them."""

HEAD = """\
# The newest versions that the tests are known to pass with, written by .ci/constraints.py.
# torch and torchvision may be older, down to what pyproject.toml says.
"""


def find_versions(distribution: str, *extras: str) -> dict[str, str]:
    """Name and version of everything installed that a distribution needs."""
    found: dict[str, str] = {}
    waiting = [(distribution, extras)]
    while waiting:
        name, wanted = waiting.pop()
        for needed in map(Requirement, metadata.requires(name) or ()):
            if needed.marker and not any(needed.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                continue
            spelled = re.sub(r"[-_.]+", "-", needed.name).lower()
            try:
                version = metadata.version(needed.name)
            except metadata.PackageNotFoundError:
                continue
            if spelled not in found and spelled not in LIMITED:
                waiting.append((needed.name, tuple(needed.extras)))
            found[spelled] = version.partition("+")[0]
    return found


def main() -> None:
    """Write the file."""
    needed_by_torch = find_versions("torch")
    lines = [
        f"{name}<={version}" if name in LIMITED else f"{name}=={version}"
        for name, version in sorted(find_versions("resflops", *EXTRAS).items())
        if name not in needed_by_torch
    ]
    FILE.write_text(HEAD + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
