"""What an exporter has folded into the weights of a graph, as far as the graph shows it."""

from typing import TYPE_CHECKING

from resflops.errors import pluralize

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

__all__ = ["FOLDED", "RULES", "describe_folding"]

RULES, FOLDED = "pkg.onnxscript.rewriter.rule_name", "BatchNormInto"
"""What torch's newer exporter writes to a node that it made of several."""

MADE = "onnx::Conv"
"""How its older exporter names a weight that it computed: of a convolution with a normalisation in it."""

MERGED = "/merged_input:0"
"""How tf2onnx names such a weight, within the scopes of its layer."""


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
