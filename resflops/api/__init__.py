"""The public functions: load a model, count it, trace it, run other counters, time it, compare several."""

from typing import TYPE_CHECKING

from resflops.api.calls import benchmark, count, crosscheck, trace
from resflops.api.given_models import load

if TYPE_CHECKING:
    from resflops.api.calls import Model

__all__ = ["Model", "benchmark", "count", "crosscheck", "load", "trace"]
