"""The layers of an exported program as layers of torch's own classes, for other counters.

Some counters go by the very class of a layer and read its attributes. In a copy that only such a counter
sees, a stand-in for a layer of torch.nn becomes one of that class. It still runs the nodes of the program.
"""

from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any

from msgspec.structs import replace
from torch import nn

from resflops.records import Trace
from resflops.sources.programs.module import ProgramModel
from resflops.sources.programs.steps import LayerCall, ProgramLayer, find_layer

__all__ = ["hide_classes", "restore_class", "restore_classes"]

_CLASSES = (
    *(f"{kind}{n}d" for kind in ("Conv", "ConvTranspose", "BatchNorm", "InstanceNorm") for n in (1, 2, 3)),
    *(f"{kind}Pool{n}d" for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg") for n in (1, 2, 3)),
    "SyncBatchNorm", "GroupNorm", "LayerNorm", "Linear", "Embedding", "Dropout", "Identity", "Flatten",
    "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d",
    "ReLU", "ReLU6", "PReLU", "ELU", "LeakyReLU", "GELU", "SiLU", "Sigmoid", "Tanh", "Softmax", "LogSoftmax",
    "Hardswish", "Hardsigmoid", "Hardtanh", "RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell",
)  # fmt: skip
"""Those whose attributes follow from their weights and from the arguments of their ops. MultiheadAttention is
none of them: a counter expects it to be called with queries, keys and values."""


def hide_classes(trace: Trace) -> Trace:
    """Rename the layers of torch's classes that are not restored, which no counter sees as what they are."""
    return replace(
        trace,
        modules=tuple(
            replace(module, cls=f"exported {module.cls}")
            if module.path and module.cls == module.base and module.cls not in _CLASSES
            else module
            for module in trace.modules
        ),
    )


def restore_classes(model: ProgramModel) -> None:
    """Turn stand-ins for layers of torch's own into layers of torch's classes, with their attributes."""
    settings: dict[tuple[str, ...], dict[str, Any]] = {}
    _collect(model.plan.call, settings)
    for path, given in settings.items():
        restore_class(find_layer(model, path), given, ProgramLayer.run_nodes)


def restore_class(layer: nn.Module, settings: Mapping[str, Any], forward: Callable[..., Any]) -> None:
    """Turn a stand-in for a layer of torch's own into one of its class.

    Args:
        layer: the stand-in; one for another layer stays as it is.
        settings: the plain arguments of the ops that ran in it.
        forward: what it runs, as before.
    """
    name = type(layer).__name__
    if name in _CLASSES and type(layer).__module__ == getattr(nn, name).__module__:
        own = vars(layer)
        own |= _read_attributes(layer, settings)
        own["forward"] = MethodType(forward, layer)
        layer.__class__ = getattr(nn, name)


def _collect(call: LayerCall, settings: dict[tuple[str, ...], dict[str, Any]]) -> None:
    """Collect the settings of all layers, by their paths."""
    for step in call.steps:
        if step.call is not None:
            settings.setdefault(step.layer, {}).update(step.call.settings)
            _collect(step.call, settings)


def _read_attributes(layer: nn.Module, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a layer of torch's keeps: the settings of its ops, and the sizes of its weights."""
    parameters = layer._parameters
    # An argument may have the name of a method, as that for the mode of a dropout has.
    given = {name: value for name, value in settings.items() if not hasattr(nn.Module, name)}
    found = {"padding_mode": "zeros", "inplace": False, **given}
    if "weight_hh_l0" in parameters or "weight_hh" in parameters:
        inner = parameters.get("weight_hh_l0", parameters.get("weight_hh"))
        outer = parameters.get("weight_ih_l0", parameters.get("weight_ih"))
        assert inner is not None and outer is not None  # noqa: S101, PT018 - they come together
        sizes = {"input_size": outer.shape[1], "hidden_size": inner.shape[1]}
        return {**found, **sizes, "bias": any(name.startswith("bias") for name in parameters)}
    weight = parameters.setdefault("weight", None)
    parameters.setdefault("bias", None)
    found["elementwise_affine" if "normalized_shape" in settings else "affine"] = weight is not None
    if weight is not None:
        shape, groups = tuple(weight.shape), settings.get("groups", 1)
        found |= {"out_features": shape[0], "in_features": shape[-1], "num_features": shape[0]}
        if len(shape) > 2:
            forward = {"out_channels": shape[0], "in_channels": shape[1] * groups}
            turned = {"in_channels": shape[0], "out_channels": shape[1] * groups}
            found |= {
                **(turned if "Transpose" in type(layer).__name__ else forward),
                "kernel_size": shape[2:],
            }
    return found
