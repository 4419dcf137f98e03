"""The cross-check: it runs other counters on a model, and explains every difference to our figures.

``adapters.py`` asks the counters, ``process.py`` keeps each of them in a process of its own, and
``running.py`` puts the two together; ``graph_files.py`` does so for those that take ONNX files. What the
figures mean is in ``resflops.counters`` and in ``reconciliation.py``, which need neither the counters nor
torch.
"""

from importlib import import_module
from typing import Any

from resflops.crosschecking.process import Failure, run_in_process

__all__ = [
    "Failure",
    "describe_platform",
    "reconcile_graph_file",
    "reconcile_model",
    "run_in_process",
    "select_peers",
]

# Loaded when first used: a stored cross-check is read, shown and explained where torch is not installed.
_HOMES = {
    "describe_platform": "selection",
    "select_peers": "selection",
    "reconcile_graph_file": "graph_files",
    "reconcile_model": "running",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _HOMES:
        return getattr(import_module(f"resflops.crosschecking.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
