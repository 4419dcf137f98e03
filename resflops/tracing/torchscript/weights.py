"""Weights that a scripted module keeps elsewhere than in parameters: packed, or as constants of its code."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from resflops.records import Shape

__all__ = ["find_frozen_weights", "name_frozen_weights", "read_packed_weights", "read_script_weights"]

Unpacked = tuple[str, Shape, torch.dtype]

_RECURRENT = "_all_weight_values"
"""Where a quantised recurrent network has its cells."""
_PARTS = ("PackedParams", "PackedParameter")
_PACKED = ("_packed_params", "_packed_weight")
"""Where torch's quantised layers keep what they have packed."""

_PRODUCTS = frozenset(("aten::matmul", "aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm"))
_STATISTICS = frozenset(("running_mean", "running_var"))


def read_script_weights(module: Any) -> Iterator[Unpacked]:
    """Read the weights of a scripted module that are no parameters, each with its name, shape and type."""
    yield from read_packed_weights(module)
    for name, tensor in name_frozen_weights(module):
        yield name, tuple(tensor.shape), tensor.dtype


def read_packed_weights(module: Any) -> Iterator[Unpacked]:
    """Read the weights that a quantised layer of torch has packed."""
    # These are parts of a layer, and modules of their own: what they hold is the layer's.
    if module.original_name.endswith(_PARTS):
        return
    if _RECURRENT in module._modules:
        for cell, part in module._modules[_RECURRENT]._modules.items():
            for number, tensor in enumerate(_unpack(part._c.getattr("param"))):
                yield f"cell_{cell}.{number}", tuple(tensor.shape), tensor.dtype
    for name in _PACKED:
        if module._c.hasattr(name):
            # What holds them may be a module of its own.
            held = module._modules[name] if name in module._modules else module  # noqa: SIM401 - it is no dict
            for number, tensor in enumerate(_unpack(held._c.getattr(name))):
                yield f"{name}.{number}", tuple(tensor.shape), tensor.dtype


def name_frozen_weights(module: Any) -> Iterator[tuple[str, Tensor]]:
    """Name the weights that are constants of a scripted module's code, in their order there."""
    if not len(module._parameters) and module._c._has_method("forward"):
        for number, tensor in enumerate(find_frozen_weights(module._c._get_method("forward").graph)):
            yield f"constant_{number}", tensor


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
