"""The zeros in the weights of an ONNX file, whose elements are read for this alone."""

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

from resflops.cost.sparsity import find_weight_inputs
from resflops.records import MODEL_INPUT, Weights
from resflops.sources.onnx_files.reading import GraphReading

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

__all__ = ["count_weights"]


def count_weights(reading: GraphReading, model: "ModelProto") -> dict[int, Weights]:
    """Count the weights of each op, and how many of them are not zero.

    Those that a pass computes, as from integers and scales, and those that lie in another file, stay unknown.

    Args:
        reading: the graph as it was read.
        model: the file with the elements of its initialisers.
    """
    initialisers = {each.name: each for each in model.graph.initializer}
    known: dict[str, int | None] = {}
    # The ops that work on weights and constants alone.
    fixed: set[int] = set()
    found = {}
    for index, record in enumerate(reading.trace.ops):
        makers = record.producers
        if makers and all(_is_fixed(maker, fixed) for maker in makers):
            fixed.add(index)
        places = [place for place in find_weight_inputs(record) if _is_fixed(makers[place], fixed)]
        if places:
            # Two weights do not tell by their zeros which of their products are zero; nor does one of
            # integers, which stand for numbers by a scale and a zero point.
            told = len(places) == 1 and not record.attributes.get("quantised")
            name = reading.parameters.get(makers[places[0]], "") if told else ""
            if name not in known:
                known[name] = _count_nonzero(initialisers, name)
            elements = sum(prod(record.input_shapes[place]) for place in places)
            found[index] = Weights(elements=elements, nonzero=known[name])
    return found


def _is_fixed(maker: int, fixed: set[int]) -> bool:
    """Tell whether a tensor is a weight, or made from weights and constants alone."""
    return maker in fixed or (maker < 0 and maker != MODEL_INPUT)


def _count_nonzero(initialisers: "Mapping[str, TensorProto]", name: str) -> int | None:
    import numpy as np
    from onnx import TensorProto, numpy_helper

    tensor = initialisers.get(name)
    if tensor is None or tensor.data_location == TensorProto.EXTERNAL:
        return None
    try:
        return int(np.count_nonzero(numpy_helper.to_array(tensor)))
    except (TypeError, ValueError):
        # A file without its elements, as for a test.
        return None
