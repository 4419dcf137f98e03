"""What a neural network costs, and the proof: every operation counted under a named convention.

>>> import resflops
>>> cost = resflops.count(resflops.load("vgg19"), (1, 3, 224, 224))
>>> cost.total, cost.convention
(19632062464, 'macs')

Names are loaded when first used, so that ``import resflops`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from resflops._version import __version__

if TYPE_CHECKING:
    from resflops.api import benchmark, count, crosscheck, load, trace
    from resflops.api.comparing import table
    from resflops.api.curves import curve
    from resflops.api.memory import memory
    from resflops.api.sweeping import Sweep, sweep
    from resflops.cost import Cost, UncountedOp
    from resflops.cost.backward import Backward, GradientRow
    from resflops.cost.convention import CONVENTIONS, Convention, register_convention
    from resflops.cost.layers import LayerRow, Layers
    from resflops.crosschecking.reconciliation import CrossCheck
    from resflops.errors import ResflopsError
    from resflops.ops import gradient_rule, rule
    from resflops.peak_memory.records import Memory
    from resflops.records import OpRecord, TensorSpec, Trace, Work, shape
    from resflops.sweeps.curves.records import Curve
    from resflops.tables import Table

_HOMES = {
    "Backward": "cost.backward",
    # From counters and not from cost.convention, so that the conventions of the peers are registered, too.
    "CONVENTIONS": "counters",
    "Convention": "cost.convention",
    "Cost": "cost",
    "CrossCheck": "crosschecking.reconciliation",
    "Curve": "sweeps.curves.records",
    "GradientRow": "cost.backward",
    "LayerRow": "cost.layers",
    "Layers": "cost.layers",
    "Memory": "peak_memory.records",
    "OpRecord": "records",
    "ResflopsError": "errors",
    "Sweep": "api.sweeping",
    "Table": "tables",
    "TensorSpec": "records",
    "Trace": "records",
    "UncountedOp": "cost",
    "Work": "records",
    "benchmark": "api",
    "count": "api",
    "crosscheck": "api",
    "curve": "api.curves",
    "gradient_rule": "ops",
    "load": "api",
    "memory": "api.memory",
    "register_convention": "cost.convention",
    "rule": "ops",
    "shape": "records",
    "sweep": "api.sweeping",
    "table": "api.comparing",
    "trace": "api",
}

__all__ = [
    "CONVENTIONS",
    "Backward",
    "Convention",
    "Cost",
    "CrossCheck",
    "Curve",
    "GradientRow",
    "LayerRow",
    "Layers",
    "Memory",
    "OpRecord",
    "ResflopsError",
    "Sweep",
    "Table",
    "TensorSpec",
    "Trace",
    "UncountedOp",
    "Work",
    "__version__",
    "benchmark",
    "count",
    "crosscheck",
    "curve",
    "gradient_rule",
    "load",
    "memory",
    "register_convention",
    "rule",
    "shape",
    "sweep",
    "table",
    "trace",
]

_ANSWERS = {
    **dict.fromkeys(
        ("summary", "profile", "FlopCountAnalysis", "get_model_complexity_info", "calculate_flops",
         "get_model_profile", "profile_macs", "FlopCounterMode", "flops", "macs"),
        "cost = resflops.count(model, (1, 3, 224, 224)) counts, and print(cost.summary()) shows it",
    ),
    **dict.fromkeys(("compare", "tabulate"), "resflops.table([\"resnet34\", \"vgg19\"]) compares models"),
    **dict.fromkeys(("bench", "time", "latency", "measure"), "resflops.benchmark measures a model"),
    "CostGate": "the pytest fixture cost_gate is there once resflops is installed",
}  # fmt: skip
"""What to call in place of the functions of other counters, and of names that are close in meaning."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name in _HOMES:
        value = getattr(import_module(f"resflops.{_HOMES[name]}"), name)
        # From now on the name is found without this function.
        globals()[name] = value
        return value
    raise AttributeError(f"module 'resflops' has no attribute {name!r}{_suggest(name)}")


def _suggest(name: str) -> str:
    """Suggest what to use in place of a name that is not there, as the end of a message."""
    if name in _ANSWERS:
        return f"; {_ANSWERS[name]}"
    if name.startswith("_"):
        return ""
    from resflops.errors import suggest

    return suggest(name, __all__)


def __dir__() -> list[str]:
    return list(__all__)
