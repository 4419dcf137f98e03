"""Hold the conventions of the counters to what releases of them say.

    python tests/benchmarks/counter_versions.py                          # the versions that are installed here
    python tests/benchmarks/counter_versions.py ptflops==0.7.4 thop==0.1.1.post2207130030

A release that is named is installed without its dependencies into a folder of its own, which is
put first in the path of the process that asks it. torch's own counter comes with torch: run this
in an environment with each torch (``nox -f tests/noxfile.py -s counters``).

It prints, for each version, the exercises of tests/crosschecking/test_real_peers.py, for a counter of ONNX
files those of test_graph_files.py, that a convention does not explain to the last operation. A version that leaves none can be added to
the ``verified`` versions in ``resflops/counters/``; one that leaves some needs an edition of its own.
Exit status 1 if anything is left over.
"""

import argparse
import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

import resflops
from resflops.counters import PEERS, Peer
from resflops.counters.installed import find_installed_version, list_figures
from resflops.crosschecking import Failure, run_in_process
from resflops.crosschecking.adapters import ADAPTERS, Answer
from resflops.crosschecking.reconciliation import reconcile

EXERCISES = Path(__file__).parent.parent / "crosschecking"

SECONDS = 120
"""How long a counter may take for one exercise."""

PACKAGES = {
    "calflops": "calflops",
    "deepspeed": "deepspeed.profiling.flops_profiler",
    "fvcore": "fvcore.nn",
    "onnx-tool": "onnx_tool",
    "ptflops": "ptflops",
    "thop": "thop",
    "torch": "torch.utils.flop_counter",
    "torchinfo": "torchinfo",
    "torchprofile": "torchprofile",
    "ultralytics-thop": "thop",
}
"""Distribution to what the adapter of its counter imports."""


def load_exercises(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("exercises", EXERCISES / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leftovers(peer: Peer, version: str) -> list[str]:
    """What the conventions of an installed version leave unexplained, exercise by exercise."""
    with contextlib.suppress(ImportError):
        # Loaded once, here: every process below is a copy of this one.
        importlib.import_module(PACKAGES[peer.distribution])
    left = []
    for subject, (make, shape) in load_exercises("test_real_peers.py").EXERCISES.items():
        torch.manual_seed(0)
        model = make().eval()

        def ask(model: nn.Module = model, shape: tuple[int, ...] = shape) -> Answer:
            return ADAPTERS[peer.name](model, (torch.zeros(shape),), {})

        # A process each: some counters leave torch patched when they fail.
        answer: Answer | Failure = run_in_process(ask, seconds=SECONDS, kind=Answer)
        if isinstance(answer, Failure):
            print(f"  {subject}: {peer.name} gives no figure: {answer.reason[:100]}")
            continue
        traced = resflops.trace(model, shape)
        for figure, using in list_figures(peer):
            main = figure == peer.convention.name
            row = reconcile(
                traced,
                peer,
                using,
                version=version,
                figure=answer.figures[figure],
                peer_params=answer.params if main else None,
                non_op_charges=answer.non_op_charges if main else {},
            )
            if not row.explained:
                parameters = f", {row.unexplained_params:,} parameters" if row.unexplained_params else ""
                left.append(f"{subject}: {using.name} leaves {row.unexplained:,}{parameters}")
    return left


def leftovers_of_graphs(peer: Peer) -> list[str]:
    """The same for a counter of ONNX files."""
    exercises = load_exercises("test_graph_files.py")
    left = []
    for subject, text in exercises.EXERCISES.items():
        for row in resflops.crosscheck(exercises.parse(text), peers=peer.name, seconds=SECONDS).rows:
            if row.failure:
                print(f"  {subject}: {peer.name} gives no figure: {row.failure[:100]}")
            elif not row.explained:
                left.append(f"{subject}: {row.convention} leaves {row.unexplained:,}")
    return left


def report(peer: Peer) -> bool:
    version = find_installed_version(peer)
    if version is None:
        return True
    left = leftovers(peer, version) if peer.takes == "modules" else leftovers_of_graphs(peer)
    how = peer.verify(version)
    print(f"{peer.name} {version} ({how}): {'nothing is left over' if not left else ''}")
    for line in left:
        print(f"  {line}")
    sys.stdout.flush()
    return not left


def ask_release(requirement: str) -> bool:
    """Install a release into a folder of its own, and ask it in a process that finds it there first."""
    distribution = requirement.partition("==")[0]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--target", folder, requirement],
            check=True,
        )
        command = [sys.executable, "-W", "ignore", __file__, "--distribution", distribution]
        return subprocess.run(command, env={**os.environ, "PYTHONPATH": folder}, check=False).returncode == 0


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("releases", nargs="*", help="distribution==version, of one of the counters")
    parser.add_argument("--distribution", choices=PACKAGES, help="only this one, as it is installed")
    given = parser.parse_args()
    if given.releases:
        explained = [ask_release(release) for release in given.releases]
    else:
        explained = [
            report(each) for each in PEERS.values() if given.distribution in (None, each.distribution)
        ]
    sys.exit(not all(explained))


if __name__ == "__main__":
    main()
