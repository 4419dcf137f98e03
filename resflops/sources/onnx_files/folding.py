"""What an exporter has folded into the weights of a graph, as far as the graph shows it."""

from typing import TYPE_CHECKING

from resflops.errors import pluralize

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

__all__ = ["FOLDED", "RULES", "describe_folding", "describe_padding"]

RULES, FOLDED = "pkg.onnxscript.rewriter.rule_name", "BatchNormInto"
"""What torch's newer exporter writes to a node that it made of several."""

MADE = "onnx::Conv"
"""How its older exporter names a weight that it computed: of a convolution with a normalisation in it."""

MERGED = "/merged_input:0"
"""How tf2onnx names such a weight, within the scopes of its layer."""

BLOCKS = "com.microsoft.nchwc"
"""The domain of operators on channels that lie by blocks."""


def describe_folding(graph: "GraphProto") -> tuple[str, ...]:
    """Say how many layers hold a normalisation that was folded into their weights."""
    count = sum(map(_holds_normalisation, graph.node))
    if not count:
        return ()
    layers = pluralize("layer", count)
    return (f"BatchNorm was folded into the weights of {count} {layers} when the model was exported",)


def _holds_normalisation(node: "NodeProto") -> bool:
    rules = next((each.value for each in node.metadata_props if each.key == RULES), "")
    weights = node.input[1:4] if "Conv" in node.op_type else ()
    return FOLDED in rules or any(name.startswith(MADE) or MERGED in name for name in weights)


def describe_padding(graph: "GraphProto") -> tuple[str, ...]:
    """Say that channels may be more than the network has, if a file was saved as one processor runs it."""
    if not any(node.domain == BLOCKS for node in graph.node):
        return ()
    return (
        "onnxruntime has padded its channels to whole blocks of one processor, and they are counted with "
        "that; save it at the level ORT_ENABLE_EXTENDED, or count the file that it was made from",
    )
