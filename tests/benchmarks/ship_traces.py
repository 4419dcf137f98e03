"""Make the archive of the built-in networks' traces that ships with resflops, or check it.

    python tests/benchmarks/ship_traces.py [--check]

To be run when a built-in network is added or traces change, which ``tests/sources/test_shipped_traces.py``
notices. With ``--check`` nothing is written, and the script ends with 1 if a trace differs from the live one.
"""

import argparse
import sys
from pathlib import Path

from msgspec.structs import replace

import resflops
from resflops.models import NETWORKS
from resflops.records import Trace
from resflops.sources import find
from resflops.sources.live_traces import trace_with_notes
from resflops.sources.shipped_traces import ARCHIVE, pack_traces, read_shipped_trace

FILE = Path(resflops.__file__).parent / "sources" / ARCHIVE


def trace_network(name: str) -> Trace:
    """Trace a built-in network on its usual input."""
    return replace(trace_with_notes(find(name), input_shape=None, lifetimes=True), model=name)


def differs(name: str) -> bool:
    """Whether the stored trace of a network is another than the live one, by whatever torch it was made."""
    stored, live = read_shipped_trace(name), trace_network(name)
    return stored is None or replace(stored, torch_version=live.torch_version) != live


def main() -> int:
    """Write the archive, or check it."""
    parser = argparse.ArgumentParser(description="The traces that ship with resflops.")
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if a trace differs")
    if parser.parse_args().check:
        different = [name for name in NETWORKS if differs(name)]
        print(f"{len(NETWORKS) - len(different)} equal, different: {', '.join(different) or 'none'}")
        return int(bool(different))
    FILE.write_bytes(pack_traces({name: trace_network(name) for name in NETWORKS}))
    print(f"{FILE}: {len(NETWORKS)} traces, {FILE.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
