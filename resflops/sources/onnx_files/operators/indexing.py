"""Copies by indices and masks: elements looked up, written, or chosen."""

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, bind, operator
from resflops.sources.onnx_files.operators.arithmetic import is_number

bind({
    "Compress": "masked_select", "GatherElements": "gather", "GatherND": "index", "NonZero": "nonzero",
    "TensorScatter": "index_copy",
})  # fmt: skip
bind({"OneHot": "one_hot"}, inputs=1)


@operator("Gather", free="gather")
def read_lookup(node: OperatorCall) -> Call:
    """Read slices that are looked up along a dimension, or one of them that a number selects."""
    table, index = node.require(0), node.require(1)
    axis = int(node.attributes.get("axis", 0))
    if is_number(index) and not index.dim():
        return node.call("select", (table,))
    if table.stored and table.dim() == 2 and not axis:
        return node.call("embedding", (index, table))
    return node.call("index_select" if index.dim() == 1 else "index", (table, index))


@operator("ScatterND")
def read_written(node: OperatorCall) -> Call:
    """Read slices that are written to places, or added or otherwise folded into what is there."""
    table, index, values = node.require(0), node.require(1), node.require(2)
    how = node.attributes.get("reduction", "none")
    if how == "none":
        return node.call("index_put", attributes={"accumulate": False, "written": values.numel()})
    if how == "add":
        return node.call("index_put_accumulate", attributes={"written": values.numel()})
    return node.call("scatter_reduce", (table, index, values), {"reduce": how})


@operator("Scatter", "ScatterElements")
def read_scattered(node: OperatorCall) -> Call:
    """Read elements that are written along a dimension, or added or otherwise folded into what is there."""
    how = node.attributes.get("reduction", "none")
    axis = int(node.attributes.get("axis", 0))
    if how == "none":
        return node.call("scatter", attributes={"dim": axis})
    if how == "add":
        return node.call("scatter_add", attributes={"dim": axis})
    return node.call("scatter_reduce", attributes={"dim": axis, "reduce": how})


@operator("Where", free="where")
def read_choice(node: OperatorCall) -> Call:
    """Read elements that are chosen of one tensor or the other."""
    chosen = [each for each in node.inputs[1:] if each is not None and not is_number(each)]
    return node.call("where", (node.require(0), *chosen))
