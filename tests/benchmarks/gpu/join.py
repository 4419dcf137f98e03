"""Join what the blocks brought into reports/: one file for each GPU and set of flags, and the pages anew.

    python tests/benchmarks/gpu/join.py FOLDER [REPORTS]

Files of one machine, one set of flags and samples of one length are joined, with all of their runs; others
stay apart. The pages are made by ``resflops report``.
"""

import re
import sys
from pathlib import Path

from resflops.cli import main as resflops
from resflops.latency import Measurements
from resflops.latency.joining import join_alike


def main() -> None:
    """Read the files of a folder, write those for the reports, and make the pages."""
    folder, reports = Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "reports")
    found = [Measurements.load(str(file)) for file in sorted(folder.glob("*.json"))]
    for place, measurements in enumerate(join_alike(found)):
        name = re.sub(r"[^a-z0-9]+", "-", measurements.environment.device.lower()).strip("-")
        file = reports / "data" / f"latency-{name}{f'-{place + 1}' if place else ''}.json"
        measurements.save(str(file))
        print(f"{file}: {len(measurements.rows)} configurations of {len(measurements.runs)} runs")
    sys.exit(resflops(["report", "--folder", str(reports)]))


if __name__ == "__main__":
    main()
