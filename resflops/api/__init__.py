"""The public functions: load a model, count it, trace it, run other counters, time it, compare several."""

from resflops.api.calls import Model, benchmark, count, crosscheck, trace
from resflops.api.given_models import load

__all__ = ["Model", "benchmark", "count", "crosscheck", "load", "trace"]
