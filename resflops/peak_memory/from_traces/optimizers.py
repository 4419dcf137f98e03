"""What optimisers keep of each parameter, and what their step takes and releases."""

from msgspec import Struct

__all__ = ["OPTIMIZER_MEMORY", "OptimizerMemory"]


class OptimizerMemory(Struct, frozen=True):
    """The memory of an optimiser, in tensors of a parameter's size."""

    states: tuple[str, ...]
    """What it keeps of each parameter."""
    counts: int
    """How many numbers it keeps of each parameter: counts of steps and the like."""
    single: int
    """How many tensors a parameter's step takes at once, where each parameter is updated by itself."""
    together: int
    """How many it takes of every parameter, where all are updated together."""


OPTIMIZER_MEMORY = {
    "adadelta": OptimizerMemory(("square_avg", "acc_delta"), 1, 2, 2),
    "adagrad": OptimizerMemory(("sum",), 1, 1, 2),
    "adam": OptimizerMemory(("exp_avg", "exp_avg_sq"), 1, 2, 1),
    "adamax": OptimizerMemory(("exp_avg", "exp_inf"), 1, 1, 1),
    "adamw": OptimizerMemory(("exp_avg", "exp_avg_sq"), 1, 2, 1),
    "nadam": OptimizerMemory(("exp_avg", "exp_avg_sq"), 2, 2, 1),
    "radam": OptimizerMemory(("exp_avg", "exp_avg_sq"), 1, 2, 1),
    "rmsprop": OptimizerMemory(("square_avg",), 1, 1, 1),
    "rprop": OptimizerMemory(("prev", "step_size"), 1, 3, 2),
    "sgd": OptimizerMemory((), 0, 0, 0),
    "sgd-momentum": OptimizerMemory(("momentum_buffer",), 0, 0, 0),
}
"""By the names of ``options.OPTIMIZERS``. Tests hold it to what torch's own optimisers take."""
