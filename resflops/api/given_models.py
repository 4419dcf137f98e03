"""What a caller gives as a model: a module, the spec of one, or an exported program."""

import os
import sys
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from msgspec import Struct

from resflops.api.graphs import find_given_graph
from resflops.errors import UsageError
from resflops.records import Trace, is_shape

if TYPE_CHECKING:
    import torch
    from onnx import ModelProto
    from torch import nn
    from torch.export import ExportedProgram

__all__ = ["GivenModel", "Model", "hint_at_shape", "load", "name_model", "name_spec", "open_given"]

_SPECS: "WeakKeyDictionary[nn.Module, str]" = WeakKeyDictionary()
"""The specs of the modules that ``load`` has built, since nothing is written onto a module."""


Model: TypeAlias = "nn.Module | ExportedProgram | ModelProto | str | os.PathLike[str]"
"""What is counted: a module, an exported program, an ONNX graph, a model's spec or a file's path."""

Given = TypeVar("Given")


class GivenModel(Struct, frozen=True, kw_only=True):
    """A model to call, with the arguments to call it with."""

    module: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    name: str
    """The spec that it was built from; ``""`` if its class names it."""


def load(spec: str, *, device: "str | torch.device" = "meta") -> "nn.Module":
    """Build the model that a spec names, in eval mode.

    Args:
        spec: ``resnet34`` or, with options, ``resnet34,shortcut=A,num_classes=10``;
            ``torchvision/resnet50``, ``timm/vit_base_patch16_224``, ``hf/bert`` or
            ``hf/path/to/config.json``; ``package.module:factory`` or ``file.py:factory``.
            :func:`resflops.sources.open_model` also gives the model's usual inputs.
        device: where to build the model. On ``meta``, the default, it has shapes and no weights, which is
            enough to count and takes no memory. On ``cpu`` or ``cuda`` it has random weights. A model
            whose constructor needs values is built on the CPU, even if ``meta`` was asked for.

    Raises:
        UnknownModelError: there is no model of that name; the message names the closest.
        SpecError: the spec is malformed, or sets an option that the model lacks.
        ModelError: the model could not be built, or the package that it comes from is missing.
    """
    from resflops.sources import find
    from resflops.sources.building import build_model

    found = find(spec)
    model = build_model(found, device=device)
    _SPECS[model] = found.spec
    return model


def name_model(model: object) -> str:
    """Name a module by the spec that it was built from; ``""`` if it was not built by ``load``."""
    # Without a look at the table as long as it is empty: a sweep may count thousands of small models.
    return _SPECS.get(model, "") if _SPECS else ""  # type: ignore[call-overload]


def name_spec(model: Given) -> "Given | str":
    """Give the spec that a path is; anything else stays as it is."""
    return os.fspath(model) if isinstance(model, os.PathLike) else model


def open_given(
    model: object, args: tuple[Any, ...], kwargs: dict[str, Any], *, device: Literal["meta", "cpu"] = "meta"
) -> GivenModel:
    """Build what is given by its spec, and make a module of an exported program or of a scripted one.

    Any other module stays as it is.

    Args:
        model: a module, a spec or an exported program.
        args: the positional inputs. A spec needs none, nor does a program that holds its example inputs; one
            shape is that of the main input of a spec's model.
        kwargs: the keyword inputs.
        device: where to build the model of a spec; on the CPU, its weights have values.

    Raises:
        TraceError: it is none of these.
        UsageError: it is a trace, which no model can be made of.
        ResflopsError: the model of a spec could not be found or built.
    """
    model = name_spec(model)
    if isinstance(model, str):
        return _open_spec(model, args, kwargs, device=device)
    if isinstance(model, Trace):
        raise UsageError(
            f"a model is needed here, got the trace of {model.model}, which does not hold the model; "
            "resflops.count takes a trace"
        )
    # Whoever has such a program has imported its module, which is large.
    exporting = sys.modules.get("torch.export")
    if exporting is not None and isinstance(model, exporting.ExportedProgram):
        from resflops.sources.programs import make_module

        module = make_module(model)
        if not args and not kwargs:
            inputs = module.plan.inputs.make_inputs()
            args, kwargs = inputs.args, inputs.kwargs
        return GivenModel(module=module, args=args, kwargs=kwargs, name="")
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.jit.ScriptModule):
        from resflops.sources.scripts import make_module as make_module_of_script

        return GivenModel(
            module=make_module_of_script(model), args=args, kwargs=kwargs, name=name_model(model)
        )
    if (graph := find_given_graph(model)) is not None:
        # It only says why it cannot.
        graph.make()
    from resflops.tracing import check_module

    check_module(model)
    return GivenModel(module=model, args=args, kwargs=kwargs, name=name_model(model))


def hint_at_shape(model: "nn.Module", args: tuple[Any, ...]) -> str:
    """Hint at a shape without its batch, or with its channels last, as the end of a message about it."""
    shape = args[0] if len(args) == 1 else None
    if not isinstance(shape, tuple) or not is_shape(shape):
        return ""
    first = next((layer for layer in model.modules() if hasattr(layer, "in_channels")), None)
    dimensions = {"1d": 1, "2d": 2, "3d": 3}.get(type(first).__name__[-2:], 0)
    if not dimensions:
        return ""
    if len(shape) == dimensions + 1:
        return f"; a shape includes the batch, as in {(1, *shape)}"
    batch, *sizes, last = shape
    if len(shape) == dimensions + 2 and last == getattr(first, "in_channels", 0) != sizes[0]:
        return f"; channels come before the other sizes, as in {(batch, last, *sizes)}"
    return ""


def _open_spec(
    spec: str, args: tuple[Any, ...], kwargs: dict[str, Any], *, device: Literal["meta", "cpu"]
) -> GivenModel:
    if kwargs or len(args) > 1 or not all(map(is_shape, args)):
        module = load(spec, device=device)
        return GivenModel(module=module, args=args, kwargs=kwargs, name=name_model(module))
    if device == "cpu":
        from resflops.sources.building import open_model

        built = open_model(spec, input_shape=args[0] if args else None, device=device)
        return GivenModel(module=built.module, args=built.args, kwargs=built.kwargs, name=built.found.spec)
    from resflops.sources import find
    from resflops.sources.live_traces import trace_found

    # The very model that a count takes: on meta, or with the weights on which its path depends.
    opened, _ = trace_found(find(spec), input_shape=args[0] if args else None)
    return GivenModel(module=opened.module, args=opened.args, kwargs=opened.kwargs, name=opened.found.spec)
