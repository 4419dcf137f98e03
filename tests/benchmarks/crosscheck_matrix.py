# mypy: disable-error-code="import-untyped"
"""Every peer on every built-in network and on torchvision's classification models.

    python tests/benchmarks/crosscheck_matrix.py reports/data/crosscheck.json
    resflops report

It goes on where it was stopped: a pair of model and peer that the file has already, in the
peer's present version, is not run again. thop and ultralytics-thop share an import name, so
the second takes a run of its own, with its folder first in the path:

    pip install --no-deps --target FOLDER ultralytics-thop
    PYTHONPATH=FOLDER python tests/benchmarks/crosscheck_matrix.py FILE --peers ultralytics-thop
"""

import argparse
import contextlib
import importlib
import sys
import time
from pathlib import Path

from msgspec.structs import replace
from packaging.version import Version

from resflops.counters import CONVENTIONS, PEERS, Peer
from resflops.counters.installed import find_installed_version
from resflops.crosschecking import describe_platform, reconcile_model, select_peers
from resflops.crosschecking.reconciliation import CrossCheck, Reconciliation, reconcile
from resflops.records import Trace
from resflops.sources import names, open_model
from resflops.tracing import trace

PACKAGES = (
    "fvcore.nn", "thop", "ptflops", "torchinfo", "calflops", "deepspeed.profiling.flops_profiler", "torchprofile",
)  # fmt: skip


def warm_up() -> None:
    """Load once what every process would load: each is a copy of this one, so each gets it as it is."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.set_num_threads(1)
    for package in PACKAGES:
        with contextlib.suppress(ImportError):
            importlib.import_module(package)
    with FlopCounterMode(display=False):
        torch.relu(torch.zeros(1))


def classification_models() -> list[str]:
    from torchvision import models

    return [f"torchvision/{name}" for name in models.list_models(module=models)]


def known(path: Path) -> list[Reconciliation]:
    return list(CrossCheck.load(path).rows) if path.exists() else []


def wanted(spec: str, peers: tuple[Peer, ...], rows: list[Reconciliation], *, anew: bool) -> list[Peer]:
    there = {(row.peer, row.version) for row in rows if row.model == spec}
    return [each for each in peers if anew or (each.name, find_installed_version(each) or "") not in there]


def repriced(rows: list[Reconciliation]) -> list[Reconciliation]:
    """The same figures, taken apart again."""
    traces: dict[str, Trace] = {}
    again = []
    for row in rows:
        if row.figure is None:
            again.append(row)
            continue
        if row.model not in traces:
            opened = open_model(row.model)
            traces[row.model] = replace(trace(opened.module, *opened.args, **opened.kwargs), model=row.model)
        again.append(
            reconcile(
                traces[row.model],
                PEERS[row.peer],
                CONVENTIONS[row.convention],
                version=str(Version(row.version)),
                figure=row.figure,
                peer_params=row.peer_params,
                # What has no op of the model is the peer's own account, and stays.
                sights=row.sights,
                non_op_charges={cause.name: cause.amount for cause in row.causes if not cause.ops},
            ).without_places()
        )
    return again


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--peers", nargs="+")
    parser.add_argument("--models", nargs="+", help="all if not given")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument(
        "--reprice",
        action="store_true",
        help="run no peer: explain the figures of the file by today's conventions",
    )
    parser.add_argument("--anew", action="store_true", help="run also what the file has already")
    given = parser.parse_args()
    if given.reprice:
        rows = repriced(known(given.file))
        CrossCheck(rows=tuple(rows), environment=CrossCheck.load(given.file).environment).save(given.file)
        return
    warm_up()
    specs = given.models or [*names(), *classification_models()]
    peers = select_peers(given.peers)
    rows = known(given.file)
    for number, spec in enumerate(specs, start=1):
        todo = wanted(spec, peers, rows, anew=given.anew)
        if not todo:
            continue
        started = time.monotonic()
        opened = open_model(spec)
        found = list(
            reconcile_model(
                opened.module, opened.args, opened.kwargs, peers=todo, spec=spec, seconds=given.seconds
            )
        )
        again = {(row.model, row.peer) for row in found}
        rows = [row for row in rows if (row.model, row.peer) not in again]
        rows += [row.without_places() for row in found]
        order = {name: place for place, name in enumerate(PEERS)}
        places = {name: place for place, name in enumerate([*names(), *classification_models()])}
        rows.sort(
            key=lambda row: (places.get(row.model, len(places)), row.model, order[row.peer], row.convention)
        )
        CrossCheck(rows=tuple(rows), environment=describe_platform()).save(given.file)
        open_ones = [f"{row.convention}: {row.failure or row.unexplained or row.unexplained_params}"
                     for row in found if not row.explained]  # fmt: skip
        sys.stderr.write(
            f"{number}/{len(specs)} {spec} {time.monotonic() - started:.0f} s {'; '.join(open_ones)}\n"
        )


if __name__ == "__main__":
    main()
