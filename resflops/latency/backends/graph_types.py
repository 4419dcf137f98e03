"""What an ONNX graph computes in, which its file fixes, and the settings that say so."""

from collections import Counter
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

from msgspec.structs import replace

from resflops.latency.backends.support import INT8
from resflops.latency.configuration import DTYPES, Configuration
from resflops.sources.onnx_files.sizes import list_inputs
from resflops.sources.onnx_files.tensors import name_element_type

if TYPE_CHECKING:
    from onnx import GraphProto

__all__ = ["find_precision", "settle_configuration"]

DYNAMIC = frozenset(("ConvInteger", "DynamicQuantizeLinear", "DynamicQuantizeMatMul", "MatMulInteger"))
STATIC = frozenset(("QGemm", "QLinearConv", "QLinearMatMul", "QuantizeLinear"))
"""Operators of graphs whose activations are scaled at every step, and of those that have fixed scales."""


def find_precision(graph: "GraphProto") -> str:
    """Find what a graph computes in: the type of most of its weights, or how it is quantised."""
    operators = {node.op_type for node in graph.node}
    if operators & DYNAMIC:
        return "int8-dynamic"
    if operators & STATIC:
        return "int8-static"
    elements: Counter[str] = Counter()
    for tensor in graph.initializer:
        elements[name_element_type(tensor.data_type)] += prod(tensor.dims)
    for info in graph.input:
        # Of a graph without weights, its inputs tell.
        elements[name_element_type(info.type.tensor_type.elem_type)] += 1
    known = [name for name in elements if name in DTYPES]
    return max(known, key=elements.__getitem__, default="float32")


def settle_configuration(
    graph: "GraphProto",
    configuration: Configuration,
    *,
    sizes: Mapping[str, object],
    batch_given: bool = True,
) -> Configuration:
    """Settle what a graph fixes.

    float32, which is what is measured if nothing is asked for, stands for what the graph computes in; a
    runtime that computes in another type than that of the weights is asked for that one.

    Args:
        graph: the graph.
        configuration: what is asked for.
        sizes: sizes that it leaves open, by name, and that the user has set.
        batch_given: whether the batch was asked for; if not, it is that of the graph or of ``sizes``.
    """
    inputs = list_inputs(graph)
    first = inputs[0].dimensions[0] if inputs and inputs[0].dimensions else None
    batch = sizes.get(first) if isinstance(first, str) else first
    if not batch_given and isinstance(batch, int):
        configuration = replace(configuration, batch=batch)
    own = find_precision(graph)
    fixed = {"onnxruntime": tuple(DTYPES), "openvino": INT8}.get(configuration.backend, ())
    if configuration.dtype == "float32" and own in fixed:
        return replace(configuration, dtype=own)
    return configuration
