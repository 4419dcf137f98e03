"""Continues what an earlier run measured, where this one measures alike; refuses where it does not."""

from msgspec.structs import replace

from resflops.errors import UsageError
from resflops.latency.machine import Environment
from resflops.latency.measurements import Measurements
from resflops.latency.schedule import Effort

__all__ = ["continue_measurements"]


def continue_measurements(
    so_far: Measurements | None, environment: Environment, effort: Effort
) -> Measurements:
    """Return what is known at the start of a run, with the backends of this run beside the earlier ones.

    Args:
        so_far: what an earlier run measured, if there was one.
        environment: what this run measures on.
        effort: how long it measures.

    Raises:
        UsageError: the earlier run was on another machine, under other settings or took other samples.
    """
    if so_far is None:
        return Measurements(environment=environment, effort=effort)
    if differences := environment.find_differences(so_far.environment):
        raise UsageError(
            "the earlier measurements cannot be continued, because this machine or its settings differ: "
            f"{'; '.join(differences)}; save to another file"
        )
    if so_far.rows and (unlike := effort.find_unlike(so_far.effort)):
        asked = ", ".join(
            f"{name.replace('_', '-')} {getattr(effort, name):g} where it was "
            f"{getattr(so_far.effort, name):g}"
            for name in unlike
        )
        raise UsageError(
            f"the earlier measurements cannot be continued with other samples: {asked}; "
            "ask for what they were taken with, or save to another file"
        )
    backends = so_far.environment.backends | environment.backends
    return replace(so_far, environment=replace(so_far.environment, backends=backends))
