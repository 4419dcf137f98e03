"""The weights of quantised layers: what a layer keeps of them is packed, and its shape is not theirs.

A weight counts as what it stands for: a product of 4 inputs and 3 outputs has 12 weights, in however few
bytes they are kept. Torch's quantised layers keep them in one opaque object, which is no parameter. Other
libraries keep them in a buffer or a parameter of whole numbers, and the layer says how many features it takes
and gives. They are not imported: their layers are known by the names that they keep things under.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from resflops.records import Shape

__all__ = ["UNPACKED", "PackedReader", "find_packed_reader", "find_unpacked_shape", "make_stand_ins"]

Tensors = Mapping[str, Tensor | None]
Unpacked = tuple[str, Shape, torch.dtype]
PackedReader = Callable[[nn.Module], Iterator[Unpacked]]
"""Reads a layer's logical weights and biases, each with its name, shape and the type that it is kept in."""

_PACKED = ("qweight", "weight", "weight_packed", "W_q", "B", "codes", "Qidxs")
"""Where a linear layer keeps its weight: GPTQ's, AWQ's and their kin's, int8 ones that are buffers, those of
compressed-tensors, HQQ, Marlin, AQLM and QuIP#."""
UNPACKED = "unpacked_weights"
"""The attribute in which what stands for a scripted layer of torch's has what its weights stand for."""
_FEATURES = (("in_features", "out_features"), ("infeatures", "outfeatures"))


def find_packed_reader(cls: type) -> PackedReader | None:
    """Find how the packed weights of a class's modules are read; None if it can have none."""
    places = [base.__module__ for base in cls.__mro__]
    # By names, since importing torch.ao takes longer than a count.
    if any(place.startswith("torch.ao.nn.") and "quantized" in place.split(".") for place in places):
        # A layer's own part, which the layer unpacks itself.
        return None if cls.__name__.endswith(("PackedParams", "PackedParameter")) else _read_quantised
    if issubclass(cls, torch.jit.ScriptModule):
        return _read_script
    if "torch.fx.graph_module" in places:
        return _read_attributes
    kept = next(base for base in cls.__mro__ if base.__module__.startswith("torch.nn."))
    return _read_linear if cls is not kept and kept in (nn.Module, nn.Linear) else None


def make_stand_ins(
    unpacked: Iterable[Unpacked], stored: Tensors, made: dict[int, Tensor]
) -> dict[str, Tensor]:
    """Make a tensor without memory for each weight, to be listed among the parameters.

    Args:
        unpacked: the weights.
        stored: the parameters and buffers of the module.
        made: what was made for each packed tensor so far, by its id, so that a tied one stays tied.
    """
    stand_ins = {name: torch.empty(shape, dtype=dtype, device="meta") for name, shape, dtype in unpacked}
    return {
        name: tensor if stored.get(name) is None else made.setdefault(id(stored[name]), tensor)
        for name, tensor in stand_ins.items()
    }


def find_unpacked_shape(parameter: Tensor) -> Shape | None:
    """Find the logical shape of a parameter that keeps several values in a byte; None if it is a plain one.

    bitsandbytes keeps two in a byte and the rest, the shape among it, in the parameter's ``quant_state``.
    """
    shape = getattr(getattr(parameter, "quant_state", None), "shape", None)
    return None if shape is None else tuple(shape)


def _read_quantised(module: Any) -> Iterator[Unpacked]:
    """Read a quantised layer of torch by its own methods: a network, a cell, a product or a table."""
    if UNPACKED in vars(module):
        yield from vars(module)[UNPACKED]
        return
    if hasattr(module, "get_weight") and hasattr(module, "get_bias"):
        held = {**module.get_weight(), **module.get_bias()}
    elif hasattr(module, "_weight_bias"):
        weight, bias, *_ = module._weight_bias()
        held = {"weight": weight, "bias": bias}
    else:
        weight = getattr(module, "weight", None)
        # An embedding unpacks its table; a PReLU has its slopes in an attribute.
        held = {"weight": weight() if callable(weight) else weight}
    yield from (
        (name, tuple(tensor.shape), tensor.dtype)
        for name, tensor in held.items()
        if isinstance(tensor, Tensor) and name not in module._parameters and name not in module._buffers
    )


def _read_script(module: nn.Module) -> Iterator[Unpacked]:
    # Here, as what goes through scripts imports the recorder, and that this module.
    from resflops.tracing.torchscript.weights import read_script_weights

    return read_script_weights(module)


def _read_attributes(module: nn.Module) -> Iterator[Unpacked]:
    """Read the packed weights that a graph's functions take: they are attributes of the graph itself."""
    for name, held in vars(module).items():
        if isinstance(held, torch.ScriptObject) and hasattr(held, "unpack"):
            for part, tensor in zip(("weight", "bias"), held.unpack(), strict=False):
                if isinstance(tensor, Tensor):
                    yield f"{name}.{part}", tuple(tensor.shape), tensor.dtype


def _read_linear(module: nn.Module) -> Iterator[Unpacked]:
    """Read a linear layer that keeps its weight as whole numbers, in a buffer or a parameter."""
    # The sizes first, which few modules have: this is asked of every one that is not torch's own.
    own, parameters, buffers = vars(module), module._parameters, module._buffers
    features = next(((own[out], own[into]) for into, out in _FEATURES if into in own and out in own), None)
    if features is None or type(parameters) is not dict:
        return
    held = {**parameters, **buffers}
    for name in _PACKED:
        stored = held.get(name)
        if stored is not None and not (stored.is_floating_point() or stored.is_complex()):
            yield name, features, stored.dtype
            bias = buffers.get("bias")
            if bias is not None:
                yield "bias", tuple(bias.shape), bias.dtype
            return
