"""Measures what a network takes in time, energy and memory, and what that means beside its cost.

Everything but the timing itself works on stored samples and never imports torch; the modules
that touch a device (``bench``, ``attribution``, ``cpu``, ``cuda``, ``environment``, ``prepare``,
``probes``) are imported when something is measured.
"""

from resflops.latency.configuration import Configuration, grid
from resflops.latency.machine import Environment
from resflops.latency.measurements import Measurements, Row
from resflops.latency.schedule import Effort
from resflops.latency.series import Round, Series
from resflops.latency.stability import Stability, judge_stability
from resflops.latency.statistics import Summary, ratio, summarize

__all__ = [
    "Configuration",
    "Effort",
    "Environment",
    "Measurements",
    "Round",
    "Row",
    "Series",
    "Stability",
    "Summary",
    "grid",
    "judge_stability",
    "ratio",
    "summarize",
]
