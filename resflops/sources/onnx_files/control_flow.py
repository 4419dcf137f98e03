"""Nodes that hold graphs: ``If`` takes one of two, ``Loop`` and ``Scan`` run one again and again.

Which branch is taken and how many trips are made is followed as far as shapes and constants decide it. Where
values do, the branch with more multiply-accumulates stands for both, and a loop is listed as uncounted.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from resflops.ops import OPS, Call, Mismatch
from resflops.records import OpRecord
from resflops.sources.onnx_files.attributes import read_attributes
from resflops.sources.onnx_files.inference import ONNX
from resflops.sources.onnx_files.tensors import GraphTensor, read_type

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

    from resflops.sources.onnx_files.walk import Scope, Walk

__all__ = ["find_flow"]

MOST_TRIPS = 10_000
"""How many trips of a loop are followed."""

Inputs = Sequence[GraphTensor | None]
Sizes = tuple[int | None, ...] | None
Flow = Callable[["Walk", "NodeProto", Inputs, "Scope", str], Sequence[GraphTensor]]
"""Walks through what a node holds and gives the node's outputs."""


def find_flow(node: "NodeProto") -> Flow | None:
    """Find what follows a node that holds graphs; None for other nodes."""
    return _FLOWS.get(node.op_type) if node.domain in ONNX else None


def follow_if(
    walk: "Walk", node: "NodeProto", inputs: Inputs, scope: "Scope", layer: str
) -> Sequence[GraphTensor]:
    """Follow the branch that is taken; if values decide, the one with more multiply-accumulates."""
    del layer
    attributes = read_attributes(node)
    branches = {"then": attributes["then_branch"], "else": attributes["else_branch"]}
    if (taken := read_truth(inputs[0])) is not None:
        return walk.run_graph(branches["then" if taken else "else"], scope, ())
    before = walk.recording.save()
    found = {}
    for name, branch in branches.items():
        walk.recording.restore(before)
        outputs = walk.run_graph(branch, scope, ())
        after = walk.recording.save()
        found[name] = count_macs(after.ops[len(before.ops) :]), outputs, after
    dearer = max(found, key=lambda name: found[name][0])
    macs, outputs, after = found[dearer]
    walk.recording.restore(after)
    least = min(cost for cost, _, _ in found.values())
    if macs != least:
        walk.note_branch(node, dearer, macs, least)
    both = zip(*[each for _, each, _ in found.values()], strict=False)
    return [
        _hide_value(walk, tensor, _merge_sizes(*sizes)) for tensor, sizes in zip(outputs, both, strict=False)
    ]


def follow_loop(
    walk: "Walk", node: "NodeProto", inputs: Inputs, scope: "Scope", layer: str
) -> Sequence[GraphTensor]:
    """Follow a loop trip by trip, as long as the number of trips and the condition are known."""
    body: GraphProto = read_attributes(node)["body"]
    most = read_number(inputs[0]) if inputs and inputs[0] is not None else MOST_TRIPS + 1
    running = read_truth(inputs[1]) if len(inputs) > 1 and inputs[1] is not None else True
    carried = list(inputs[2:])
    before, stacks = walk.recording.save(), _Stacks(len(body.output) - 1 - len(carried))
    state, trip = carried, 0
    while running and most is not None and trip < most:
        if trip == MOST_TRIPS:
            running = None
            break
        given = (_make_known(trip, "int64"), _make_known(running, "bool"), *state)
        condition, *results = walk.run_graph(body, scope, given)
        running = read_truth(condition)
        state = list(results[: len(carried)])
        stacks.add(results[len(carried) :])
        trip += 1
    if running is not None and most is not None:
        return [*_require(state), *stacks.join(walk, layer, body, [0] * stacks.count)]
    # Once more, to say what one trip takes, and what comes out where it is of the sizes that go in.
    walk.recording.restore(before)
    given = (GraphTensor(name="", dtype="int64", sizes=()), GraphTensor(name="", dtype="bool", sizes=()))
    unsettled = [_hide_value(walk, tensor, tensor.sizes) for tensor in _require(carried)]
    _, *results = walk.run_graph(body, scope, (*given, *unsettled))
    macs = count_macs(walk.recording.save().ops[len(before.ops) :])
    walk.recording.restore(before)
    walk.note_loop(node, macs)
    kept = [_keep_sizes(old, new) for old, new in zip(_require(carried), results, strict=False)]
    outputs = [*kept, *[GraphTensor(name="", dtype=each.dtype) for each in results[len(carried) :]]]
    walk.recording.record(Call(node.op_type, tuple(_require(inputs)), ()), layer, tuple(outputs))
    return outputs


def follow_scan(
    walk: "Walk", node: "NodeProto", inputs: Inputs, scope: "Scope", layer: str
) -> Sequence[GraphTensor]:
    """Follow a scan, which makes one trip for each element along an axis of its inputs."""
    attributes = read_attributes(node)
    body: GraphProto = attributes["body"]
    count = attributes["num_scan_inputs"]
    # In its first version it had a batch, and an input for the lengths in it.
    tensors = list(_require(inputs))
    state, scanned = tensors[: len(tensors) - count], tensors[len(tensors) - count :]
    axes = attributes.get("scan_input_axes", [0] * count)
    if walk.opsets.get("", 1) < 9 or not all(tensor.is_known for tensor in scanned):
        outputs = tuple([GraphTensor(name=name, dtype="") for name in node.output])
        walk.recording.record(Call("Scan", tuple(tensors), ()), layer, outputs)
        return outputs
    trips = {tensor.shape[axis] for tensor, axis in zip(scanned, axes, strict=True)}
    if len(trips) != 1:
        raise Mismatch(f"scans inputs of different lengths: {sorted(trips)}")
    stacks = _Stacks(len(body.output) - len(state))
    for _ in range(min(*trips, MOST_TRIPS)):
        slices = [_take_slice(walk, each, axis, layer) for each, axis in zip(scanned, axes, strict=True)]
        results = walk.run_graph(body, scope, (*state, *slices))
        stacks.add(results[len(state) :])
        state = list(results[: len(state)])
    return [*state, *stacks.join(walk, layer, body, attributes.get("scan_output_axes", [0] * stacks.count))]


_FLOWS: dict[str, Flow] = {"If": follow_if, "Loop": follow_loop, "Scan": follow_scan}


class _Stacks:
    """What the trips of a loop give, one tensor each, which become one with a dimension more."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._trips: list[list[GraphTensor]] = []

    def add(self, results: Sequence[GraphTensor]) -> None:
        self._trips.append(list(results))

    def join(self, walk: "Walk", layer: str, body: "GraphProto", axes: Sequence[int]) -> list[GraphTensor]:
        if not self._trips:
            # No trip gives no element; of what type, the body says.
            declared = body.output[len(body.output) - self.count :]
            return [self._make_empty(read_type(each.name, each.type)) for each in declared]
        stacked = zip(*self._trips, strict=True)
        return [self._stack(walk, layer, list(each), axis) for each, axis in zip(stacked, axes, strict=True)]

    def _make_empty(self, one: GraphTensor) -> GraphTensor:
        return GraphTensor(name="", dtype=one.dtype, sizes=None if one.sizes is None else (0, *one.sizes))

    def _stack(self, walk: "Walk", layer: str, each: list[GraphTensor], axis: int) -> GraphTensor:
        import numpy as np

        first = each[0]
        sizes = None
        if first.sizes is not None:
            place = axis % (len(first.sizes) + 1)
            sizes = (*first.sizes[:place], len(each), *first.sizes[place:])
        joined = GraphTensor(name="", dtype=first.dtype, sizes=sizes)
        if all(tensor.static for tensor in each):
            joined.static = True
            if all(tensor.value is not None for tensor in each):
                joined.value = np.stack([tensor.value for tensor in each], axis)
        else:
            walk.recording.record(Call("stack", tuple(each), ()), layer, (joined,))
        return joined


def _take_slice(walk: "Walk", tensor: GraphTensor, axis: int, layer: str) -> GraphTensor:
    place = axis % tensor.dim()
    sizes = (*tensor.shape[:place], *tensor.shape[place + 1 :])
    taken = GraphTensor(name="", dtype=tensor.dtype, sizes=sizes, static=tensor.static)
    if not tensor.static:
        walk.recording.record(Call("select", (tensor,), sizes), layer, (taken,))
    return taken


def read_truth(tensor: GraphTensor | None) -> bool | None:
    """Read a condition; None if its value is not known."""
    return (
        None
        if tensor is None or tensor.value is None or tensor.value.size != 1
        else bool(tensor.value.item())
    )


def read_number(tensor: GraphTensor | None) -> int | None:
    """Read a number of trips; None if its value is not known."""
    return (
        None if tensor is None or tensor.value is None or tensor.value.size != 1 else int(tensor.value.item())
    )


def count_macs(ops: Sequence[OpRecord]) -> int:
    """Count the multiply-accumulates of some ops, as far as they have a rule."""
    works = [declared.work(op) for op in ops if (declared := OPS.get(op.op)) and declared.work]
    return sum(work.macs for work in works)


def _make_known(value: object, dtype: str) -> GraphTensor:
    import numpy as np

    return GraphTensor(name="", dtype=dtype, sizes=(), value=np.array(value, dtype=dtype), static=True)


def _require(tensors: Inputs) -> list[GraphTensor]:
    return [tensor for tensor in tensors if tensor is not None]


def _hide_value(walk: "Walk", tensor: GraphTensor, sizes: Sizes) -> GraphTensor:
    """Give the same tensor with what holds on every path: no values, and some sizes."""
    hidden = GraphTensor(name=tensor.name, dtype=tensor.dtype, sizes=sizes)
    walk.recording.enter_alias(hidden, tensor)
    return hidden


def _merge_sizes(one: GraphTensor, other: GraphTensor) -> Sizes:
    """Give the sizes that two tensors share; None for others."""
    if one.sizes is None or other.sizes is None or len(one.sizes) != len(other.sizes):
        return None
    return tuple([own if own == its else None for own, its in zip(one.sizes, other.sizes, strict=True)])


def _keep_sizes(old: GraphTensor, new: GraphTensor) -> GraphTensor:
    """Give what a loop leaves of a tensor: of the same sizes if a trip does not change them."""
    same = old.sizes == new.sizes
    return GraphTensor(name="", dtype=new.dtype, sizes=old.sizes if same else None)
