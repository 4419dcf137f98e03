"""What a file itself states of the tensors in its graph, for those that nothing else tells of."""

from typing import TYPE_CHECKING

from resflops.sources.onnx_files.sizes import OpenSizes
from resflops.sources.onnx_files.tensors import GraphTensor, name_element_type

if TYPE_CHECKING:
    from onnx import GraphProto, ValueInfoProto

__all__ = ["StatedTypes"]


class StatedTypes:
    """The types and sizes that a file states, read one by one when they are asked for.

    Args:
        graph: the graph of the file.
        sizes: the open sizes, by whose names others may be stated.
    """

    def __init__(self, graph: "GraphProto", sizes: OpenSizes) -> None:
        self._stated = {each.name: each for each in (*graph.value_info, *graph.output)}
        self._sizes = sizes

    def complete(self, name: str, found: GraphTensor | None) -> GraphTensor:
        """Give what is found of a tensor, and what the file states where nothing is found.

        Args:
            name: its name in the graph.
            found: the tensor as far as it is known; None if not even its type is.
        """
        if found is not None and found.is_known:
            return found
        stated = self._stated.get(name)
        if stated is None or not stated.type.HasField("tensor_type"):
            return found or GraphTensor(name=name, dtype="")
        tensor = stated.type.tensor_type
        sizes = self._read_sizes(stated) if tensor.HasField("shape") else None
        if found is None:
            return GraphTensor(name=name, dtype=name_element_type(tensor.elem_type), sizes=sizes)
        if found.sizes is None:
            found.sizes = sizes
        elif sizes is not None and len(sizes) == len(found.sizes):
            found.sizes = tuple(
                [own if known is None else known for known, own in zip(found.sizes, sizes, strict=True)]
            )
        # It is made again, of all that is known.
        found.type = None
        return found

    def _read_sizes(self, stated: "ValueInfoProto") -> tuple[int | None, ...]:
        return tuple(
            [
                size.dim_value
                if size.HasField("dim_value") and size.dim_value > 0
                else self._sizes.known.get(size.dim_param)
                for size in stated.type.tensor_type.shape.dim
            ]
        )
