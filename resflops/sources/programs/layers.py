"""The layers of an exported program: a module for each, with its name, class, parameters and buffers.

Of the classes of the program's layers nothing is left but their names, which the nodes of its graph carry. A
layer here is a stand-in whose class has the same name.
"""

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from torch import nn

from resflops.sources.programs.stacks import clean_path, list_graphs, read_stack
from resflops.sources.programs.steps import ProgramLayer

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["build_layers", "make_class"]

Layer = TypeVar("Layer", bound=nn.Module)

NETWORKS = ("torch", "torchvision", "torchaudio", "timm", "transformers", "diffusers")
"""Packages of networks. What a class in them is derived from is looked up in the package; no other package is
imported because a file names a class of it."""


def build_layers(program: "ExportedProgram", root: ProgramLayer) -> None:
    """Build all layers of a program below the one that stands for the model itself, in its order."""
    classes = _read_classes(program)
    called = [clean_path(entry.fqn) for entry in program.module_call_graph]
    held = [clean_path(name).rpartition(".")[0] for name in (*program.state_dict, *_list_targets(program))]
    for path in dict.fromkeys([*called, *classes, *held]):
        _add_layer(root, path, classes)
    modes = _read_modes(program)
    for path, layer in root.named_modules():
        layer.training = modes.get(path, any(modes.values()))


def _list_targets(program: "ExportedProgram") -> Iterator[str]:
    return (spec.target for spec in program.graph_signature.input_specs if spec.target)


def _add_layer(root: ProgramLayer, path: str, classes: Mapping[str, str]) -> None:
    layer: nn.Module = root
    names = path.split(".") if path else []
    for depth, name in enumerate(names, start=1):
        children = layer._modules
        if name not in children:
            children[name] = make_class(classes.get(".".join(names[:depth]), ""), ProgramLayer)()
        layer = children[name]  # type: ignore[assignment]


def _read_classes(program: "ExportedProgram") -> dict[str, str]:
    """Read the classes of the layers in which ops ran, by their paths."""
    classes: dict[str, str] = {}
    for graph in list_graphs(program):
        for node in graph.nodes:
            for _, path, cls in read_stack(node) or ():
                classes.setdefault(path, cls)
    return classes


def _read_modes(program: "ExportedProgram") -> dict[str, bool]:
    """Read which layers were in training mode, of those of which their ops tell."""
    modes: dict[str, bool] = {}
    for graph in list_graphs(program):
        for node in graph.nodes:
            stack, schema = read_stack(node), getattr(node.target, "_schema", None)
            if stack and schema is not None:
                names = [argument.name for argument in schema.arguments]
                given = dict(zip(names, node.args, strict=False)) | node.kwargs
                mode = given.get("training", given.get("train"))
                if isinstance(mode, bool):
                    modes[stack[-1][1]] = mode
    return modes


@cache
def make_class(qualified: str, layer: type[Layer]) -> type[Layer]:
    """Make a class of a name, such as ``torch.nn.modules.conv.Conv2d``; ``""`` is that of a plain module.

    It is derived from one that has the name of the nearest base in torch.nn, by which layers are told apart.

    Args:
        qualified: the name.
        layer: the class that all of them are derived from.
    """
    if not qualified:
        # Not in torch.nn.modules, where it would be taken for a layer of torch's.
        return type("Module", (layer,), {"__module__": "torch.nn"})
    module, _, name = qualified.rpartition(".")
    base = _find_base(module, name)
    bases: tuple[type, ...] = (layer,) if base in {"", qualified} else (make_class(base, layer),)  # type: ignore[arg-type]
    return type(name, bases, {"__module__": module, "__qualname__": name})


def _find_base(module: str, name: str) -> str:
    """Find the qualified name of the nearest base in torch.nn, itself included; ``""`` if there is none."""
    if module.startswith("torch.nn."):
        return f"{module}.{name}"
    if module not in sys.modules and module.partition(".")[0] not in NETWORKS:
        return ""
    try:
        cls = getattr(import_module(module), name)
        bases = (each for each in cls.__mro__ if each.__module__.startswith("torch.nn."))
        nearest = next((each for each in bases if each is not nn.Module), None)
    # The installed package may be another version, or fail as it is imported.
    except Exception:  # noqa: BLE001
        return ""
    return f"{nearest.__module__}.{nearest.__qualname__}" if nearest else ""
