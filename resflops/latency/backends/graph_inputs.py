"""Inputs for an ONNX graph: random numbers of the right types, and integers that the graph can look up."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from resflops.errors import InputError
from resflops.latency.prepare import SEED
from resflops.records import InputRecord

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

__all__ = ["make_inputs"]

LOOKUPS = {
    "Gather": {1: 0},
    "GatherBlockQuantized": {1: 0},
    "GatherElements": {1: 0},
    "EmbedLayerNormalization": {0: 2, 1: 4},
}
"""Operators that look up rows of tables: the places of indices, each with that of its table."""

KEEPING = frozenset(("Cast", "Expand", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"))
"""Operators whose result has no other values than their first input."""

SMALL = frozenset(("int8", "uint8"))
"""Types of images and of what is quantised, of which every value is meaningful."""


def make_inputs(
    graph: "GraphProto", records: Iterable[InputRecord], given: Mapping[str, Any] | None = None
) -> tuple[Tensor, ...]:
    """Make the inputs of a graph.

    Floating-point inputs are normally distributed and always the same. Integers that are looked up in a table
    are rows of it, and true or 1 where nothing tells what they are, as masks are.

    Args:
        graph: the graph.
        records: the name, shape and type of each input.
        given: values by name that the caller has given.

    Raises:
        InputError: an input is of a type that no tensor of torch has, such as text.
    """
    generator = torch.Generator().manual_seed(SEED)
    rows = _count_rows(graph)
    return tuple([_make_one(record, rows, given or {}, generator) for record in records])


def _make_one(
    record: InputRecord, rows: Mapping[str, int], given: Mapping[str, Any], generator: torch.Generator
) -> Tensor:
    dtype = getattr(torch, record.dtype, None)
    if not isinstance(dtype, torch.dtype):
        kind = record.dtype or "no tensor"
        raise InputError(f"its input {record.name} is {kind}, and only tensors of numbers can be fed")
    if record.name in given:
        return torch.as_tensor(given[record.name]).detach().cpu().to(dtype)
    if dtype.is_floating_point or dtype.is_complex:
        wide = dtype if dtype.is_complex else torch.float32
        return torch.randn(record.shape, generator=generator, dtype=wide).to(dtype)
    if record.name in rows:
        return torch.randint(rows[record.name], record.shape, generator=generator).to(dtype)
    if record.dtype in SMALL:
        limits = torch.iinfo(dtype)
        return torch.randint(limits.min, limits.max + 1, record.shape, generator=generator).to(dtype)
    return torch.ones(record.shape, dtype=dtype)


def _count_rows(graph: "GraphProto") -> dict[str, int]:
    """Count the rows of the smallest table that each input is looked up in, by the input's name."""
    # What has the values of an input or the shape of an initialiser, by name.
    inputs = {each.name: each.name for each in graph.input}
    shapes = {each.name: tuple(each.dims) for each in graph.initializer}
    rows: dict[str, int] = {}
    for node in graph.node:
        for place, table in LOOKUPS.get(node.op_type, {}).items():
            if place < len(node.input) and (name := inputs.get(node.input[place])) is not None:
                # Of a table that is computed nothing is known but that it has a row.
                count = _find_size(node, shapes.get(node.input[table], ()))
                rows[name] = min(count, rows.get(name, count))
        first = node.input[0] if node.input else ""
        if node.op_type in KEEPING and first in inputs:
            inputs[node.output[0]] = inputs[first]
        if node.op_type in {"Cast", "DequantizeLinear", "Identity"} and first in shapes:
            shapes[node.output[0]] = shapes[first]
    return rows


def _find_size(node: "NodeProto", shape: tuple[int, ...]) -> int:
    axis = next((each.i for each in node.attribute if each.name in {"axis", "gather_axis"}), 0)
    return shape[axis] if -len(shape) <= axis < len(shape) else 1
