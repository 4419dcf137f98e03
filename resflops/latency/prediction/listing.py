"""Lists what one forward pass does: every op with its kind, sizes and layer, and the calls of modules."""

from collections.abc import Iterator
from math import prod

from msgspec import Struct

from resflops.cost import Cost
from resflops.latency.prediction.sized_ops import COPY, MODULE, SizedOp, classify_op
from resflops.ops import is_free
from resflops.records import OpRecord, Trace, Work

__all__ = ["LayerOp", "list_ops"]

LAST, TRANSPOSED = "channels last", "transposed"


class LayerOp(Struct, frozen=True, kw_only=True):
    """What a layer does at one point of the pass."""

    layer: str
    sized: SizedOp
    record: OpRecord | None = None
    """The op; None for the call of a module."""
    work: Work | None = None


def list_ops(cost: Cost) -> list[LayerOp]:
    """List the ops of one forward pass, and then the calls of modules."""
    layouts, found = _Layouts(), list[LayerOp]()
    for place, (record, work) in enumerate(zip(cost.trace.ops, cost.works, strict=True)):
        in_place = _shares_memory(cost.trace, record)
        found += [
            LayerOp(layer=record.layer, sized=sized, record=record, work=work)
            for sized in layouts.follow(place, record, in_place=in_place)
        ]
    return [*found, *(LayerOp(layer=path, sized=SizedOp(MODULE)) for path in _list_called(cost.trace))]


def _shares_memory(trace: Trace, record: OpRecord) -> bool:
    """Whether the output of an op lies in the memory of its first input."""
    if not record.storages or not record.producers:
        return False
    # Memory that was there before the pass has negative numbers.
    if record.storages[0] < 0 or record.producers[0] < 0:
        return record.storages[0] < 0
    maker = trace.ops[record.producers[0]]
    place = record.output_indices[0] if record.output_indices else 0
    return place < len(maker.storages) and maker.storages[place] == record.storages[0]


def _list_called(trace: Trace) -> list[str]:
    """List the modules that ops ran in, each once, with those around them."""
    known = trace.module_at
    called: dict[str, None] = {"": None}
    for record in trace.ops:
        path = record.layer
        while path not in called:
            called[path] = None
            path = path.rpartition(".")[0]
    return [path for path in called if path in known]


class _Layouts:
    """Follows which tensors lie channels last or transposed, which shapes alone do not say."""

    def __init__(self) -> None:
        self._layout: dict[int, str] = {}

    def follow(self, place: int, record: OpRecord, *, in_place: bool) -> Iterator[SizedOp]:
        """Note how an op's output lies, and yield what it does: before some, a copy of their input."""
        lies = [self._layout.get(maker, "") for maker in record.producers]
        first = lies[0] if lies else ""
        if record.op in {"permute", "transpose"}:
            after = _permute(record, first)
        elif record.op in PACKING or (is_free(record.op) and not in_place):
            after = ""
        else:
            after = next(filter(None, lies), "")
        if after:
            self._layout[place] = after
        if first and record.op in COPYING:
            yield SizedOp(COPY, (prod(record.input_shapes[0]),))
        yield classify_op(record, in_place=in_place, channels_last=LAST in lies)


COPYING = {"layer_norm", "linear", "group_norm", "softmax"}
"""Ops whose kernels take rows that lie in a row, and copy others."""

PACKING = COPYING | {"matmul", "scaled_dot_product_attention"}
"""Ops whose output lies in a row, however their input does."""


def _permute(record: OpRecord, before: str) -> str:
    """Find how a tensor lies after its dimensions were permuted, as far as their sizes tell."""
    given, made = record.input_shapes[0], record.output_shape
    if len(given) == 4 and made == (given[0], given[3], given[1], given[2]):
        return "" if before == TRANSPOSED else LAST
    if len(given) == 4 and made == (given[0], given[2], given[3], given[1]) and before == LAST:
        return ""
    return "" if before == TRANSPOSED else TRANSPOSED
