"""The layers of a scripted module as layers of torch's own classes, for other counters."""

from collections.abc import Iterator
from typing import Any

import torch

from resflops.sources.programs.torch_classes import hide_classes, restore_class
from resflops.sources.scripts.module import ScriptLayer, ScriptModel
from resflops.tracing.torchscript.inlining import inline_functions, list_nodes

__all__ = ["hide_classes", "restore_classes"]


def restore_classes(model: ScriptModel) -> None:
    """Turn stand-ins for layers of torch's own into layers of torch's classes, with their attributes."""
    scripts = dict(model.script.named_modules())
    for path, layer in model.named_modules():
        if path:
            restore_class(layer, dict(_read_settings(scripts[path])), ScriptLayer.forward)


def _read_settings(script: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - a ScriptModule
    """Read the plain arguments of the ops in a layer's code, by their names."""
    compiled = script._c  # noqa: SLF001
    graphs = [compiled._get_method(name).graph for name in compiled._method_names()]  # noqa: SLF001
    for node in (node for graph in graphs for node in list_nodes(inline_functions(graph))):
        kind, schema = node.kind(), node.schema()
        if not kind.startswith("aten::") or schema == "(no schema)":
            continue
        arguments = torch._C.parse_schema(schema).arguments  # noqa: SLF001
        if any("Tensor" in str(each.type) for each in arguments):
            for argument, value in zip(arguments, node.inputs(), strict=False):
                given = _read_value(value)
                if given is not None:
                    yield argument.name, given
            _, upsamples, mode = kind.rstrip("123d").partition("aten::upsample_")
            if upsamples:
                yield "mode", mode


def _read_value(value: Any) -> Any:  # noqa: ANN401 - a value of a graph
    """Read a number, a text or a tuple of numbers; None if it is something else or no constant."""
    node = value.node()
    if node.kind() == "prim::ListConstruct":
        items = [_read_value(each) for each in node.inputs()]
        return tuple(items) if all(isinstance(each, int) for each in items) else None
    given = value.toIValue() if node.kind() == "prim::Constant" else None
    if isinstance(given, list) and all(isinstance(each, int) for each in given):
        return tuple(given)
    return given if isinstance(given, (bool, int, float, str)) else None
