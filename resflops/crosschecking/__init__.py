"""The referee: counters run for real, and every difference explained.

``adapters.py`` asks the counters, ``process.py`` keeps each in a process of its own,
``running.py`` puts the two together. What the figures mean is in ``resflops.counters`` and
``reconciliation.py``, which need neither the counters nor torch; so what needs torch is loaded when
it is asked for.
"""

from importlib import import_module
from typing import Any

from resflops.crosschecking.process import Failure, run_in_process

__all__ = ["Failure", "describe_platform", "reconcile_model", "run_in_process", "select_peers"]

_WITH_TORCH = ("describe_platform", "select_peers", "reconcile_model")


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _WITH_TORCH:
        return getattr(import_module("resflops.crosschecking.running"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
