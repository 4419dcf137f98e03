"""Join what the blocks brought into reports/: one file for each GPU and set of flags, and the pages anew.

    python tests/benchmarks/gpu/join.py FOLDER [REPORTS]

Files of one machine, one set of flags and samples of one length are joined, with all of their runs; others
stay apart. The pages are made by ``resflops report``.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from resflops.cli import main as resflops
from resflops.latency import Measurements
from resflops.latency.joining import join_alike
from resflops.latency.machine import TF32_CONVOLUTIONS, TF32_PRODUCTS


def _load_all(folder: Path) -> Iterator[Measurements]:
    for file in folder.glob("*.json"):
        # What the allocator told is of another kind.
        if not file.stem.startswith("memory"):
            yield Measurements.load(str(file))


def _name_flags(flags: Mapping[str, str]) -> str:
    """Name what is set differently from torch's defaults, of what the blocks set."""
    tf32 = [flags.get(name) for name in (TF32_PRODUCTS, TF32_CONVOLUTIONS)]
    named = {"cudnn-benchmark": flags.get("cuDNN benchmark") == "on", "tf32": tf32 == ["on", "on"],
             "ieee": tf32 == ["off", "off"]}  # fmt: skip
    return "-".join(name for name, is_set in named.items() if is_set) or "defaults"


def main() -> None:
    """Read the files of a folder, write those for the reports, and make the pages."""
    folder, reports = Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "reports")
    # In the order in which they were taken: of what was measured twice the first is kept.
    found = sorted(_load_all(folder), key=lambda each: each.runs[0].started)
    joined = sorted(join_alike(found), key=lambda each: -len(each.rows))
    for place, measurements in enumerate(joined):
        name = re.sub(r"[^a-z0-9]+", "-", measurements.environment.device.lower()).strip("-")
        # The largest is the machine's, and the others are called after their flags.
        suffix = f"-{_name_flags(measurements.environment.flags)}" if place else ""
        file = reports / "data" / f"latency-{name}{suffix}.json"
        measurements.save(str(file))
        print(f"{file}: {len(measurements.rows)} configurations of {len(measurements.runs)} runs")
    sys.exit(resflops(["report", "--folder", str(reports)]))


if __name__ == "__main__":
    main()
