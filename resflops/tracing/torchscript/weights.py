"""Weights that a scripted module keeps elsewhere than in parameters: packed, or as constants of its code."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from resflops.records import Shape

__all__ = ["find_frozen_weights", "read_script_weights"]

Unpacked = tuple[str, Shape, torch.dtype]

_PACKED = ("_packed_params", "_packed_weight", "param")
"""Where torch's quantised layers keep what they have packed."""

_PRODUCTS = frozenset(("aten::matmul", "aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm"))
_STATISTICS = frozenset(("running_mean", "running_var"))


def read_script_weights(module: Any) -> Iterator[Unpacked]:
    """Read the weights of a scripted module that are no parameters, each with its name, shape and type."""
    # What a quantised linear layer has is a module of its own, and the layer's.
    if module.original_name.endswith("PackedParams"):
        return
    for name in _PACKED:
        if module._c.hasattr(name):
            # What holds them may be a module of its own.
            held = module._modules[name] if name in module._modules else module  # noqa: SIM401 - it is no dict
            for number, tensor in enumerate(_unpack(held._c.getattr(name))):
                yield f"{name}.{number}", tuple(tensor.shape), tensor.dtype
    if not len(module._parameters) and module._c._has_method("forward"):
        for number, tensor in enumerate(find_frozen_weights(module._c._get_method("forward").graph)):
            yield f"constant.{number}", tuple(tensor.shape), tensor.dtype


def _unpack(packed: Any) -> Iterator[Tensor]:
    """Unpack an object of C++: by its own method, or part by part."""
    if isinstance(packed, Tensor):
        yield packed
    elif hasattr(packed, "unpack"):
        yield from (each for each in tree_leaves(packed.unpack()) if isinstance(each, Tensor))
    elif isinstance(packed, torch.ScriptObject) and hasattr(packed, "__getstate__"):
        parts = tree_leaves(packed.__getstate__())
        # A cell has its biases beside the objects that have its weights and the biases, too.
        objects = [part for part in parts if isinstance(part, torch.ScriptObject)]
        for part in objects or parts:
            yield from _unpack(part)


def find_frozen_weights(graph: Any) -> list[Tensor]:
    """Find the weights of code that ``torch.jit.freeze`` has made, which are constants of it.

    All its floating-point constants but numbers and the statistics of BatchNorm are taken to be weights, if
    some op takes one as its weight; without such an op the code has constants, and nothing was frozen.
    """
    found: dict[str, Tensor] = {}
    weights, statistics = set[str](), set[str]()
    for node in graph.findAllNodes("prim::Constant", True):  # noqa: FBT003 - in blocks, too
        value = node.output().toIValue() if node.output().type().kind() == "TensorType" else None
        if isinstance(value, Tensor) and value.is_floating_point() and value.dim():
            found[node.output().debugName()] = value
            for use in node.output().uses():
                role = _find_role(use.user, use.offset)
                if role == "weight":
                    weights.add(node.output().debugName())
                elif role in _STATISTICS:
                    statistics.add(node.output().debugName())
    return [tensor for name, tensor in found.items() if name not in statistics] if weights else []


def _find_role(node: Any, place: int) -> str:
    """Name the argument that a value is to an op; a factor of a product is a weight."""
    if node.kind() in _PRODUCTS and place:
        return "weight"
    schema = node.schema()
    if not node.kind().startswith(("aten::", "quantized::")) or schema == "(no schema)":
        return ""
    arguments = torch._C.parse_schema(schema).arguments
    return str(arguments[place].name) if place < len(arguments) else ""
