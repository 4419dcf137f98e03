"""The stack of layers that a node of an exported program ran in."""

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from torch import fx

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["Stack", "clean_path", "list_graphs", "read_stack"]

Stack = tuple[tuple[str, str, str], ...]
"""The calls of layers that a node ran in, from the outermost: a key, which tells two calls of one layer
apart, the layer's path, and the name of its class."""

_NO_STACK = "_empty_nn_module_stack_from_metadata_hook"
_ADDED = ("_orig_mod", "_export_root")
"""Names on the paths of layers that are none of the model's, but what torch.compile and torch.export add."""
_GETATTR = re.compile(r"getattr\((.*), '([^']*)'\)")
_LOCAL = re.compile(r"L\['\w+'\]")
_COMPILED = "torch._dynamo.eval_frame.OptimizedModule"


def list_graphs(program: "ExportedProgram") -> Iterator[fx.Graph]:
    """List a program's graph and those of its branches."""
    for module in program.graph_module.modules():
        if isinstance(module, fx.GraphModule):
            yield module.graph


def read_stack(node: fx.Node) -> Stack | None:
    """Read the calls of layers that a node ran in, without the model itself; None if it does not say."""
    found = node.meta.get("nn_module_stack")
    if not found or _NO_STACK in found:
        return None
    stack = []
    for key, (path, kind) in found.items():
        cls = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
        if cls != _COMPILED:
            stack.append((key, clean_path(path), cls))
    return tuple(stack)


@cache
def clean_path(path: str) -> str:
    """Give the path that a layer has in the model itself, without the number of the call."""
    path = path.partition("@")[0]
    # Torch 2.6 writes some paths as it would find the layer: getattr(L['fn'], '0').
    while found := _GETATTR.fullmatch(path):
        path = f"{found[1]}.{found[2]}"
    names = _LOCAL.sub("", path).split(".")
    return ".".join(name for name in names if name and name not in _ADDED)
