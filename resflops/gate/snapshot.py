"""The snapshot of a model's cost: as much of a ``Cost`` as the gate keeps and compares, line by line."""

from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from resflops.cost import Cost
from resflops.cost.convention import find_convention
from resflops.cost.layers import LayerRow
from resflops.errors import UnknownConventionError, suggest
from resflops.records import Shape

__all__ = [
    "ALL_METRICS",
    "MEMORY_METRICS",
    "METRICS",
    "HeldLine",
    "Metric",
    "Snapshot",
    "SnapshotInput",
    "SnapshotLine",
    "explain_metric",
    "snapshot_cost",
]

Metric = Literal["macs", "params", "buffers", "total", "peak_memory", "training_memory"]
METRICS: tuple[Metric, ...] = ("macs", "params", "buffers", "total")
"""The metrics that every snapshot has; ``total`` is the cost under the model's convention."""
MEMORY_METRICS: tuple[Metric, ...] = ("peak_memory", "training_memory")
"""The bytes in use at the peak of inference, and of a forward and backward pass: where they are asked for."""
ALL_METRICS: tuple[Metric, ...] = (*METRICS, *MEMORY_METRICS)
"""The metrics that can be limited."""


def explain_metric(name: str, *, what: str = "metric") -> str:
    """Explain that no metric has a name, with what is meant or is close, as the end of a message.

    Args:
        name: the name.
        what: what the message calls it.

    >>> explain_metric("flops")
    "flops is a convention; limit total, with convention = 'flops'"
    >>> explain_metric("parms")[:42]
    'there is no such metric; closest: params; '
    """
    with suppress(UnknownConventionError):
        convention = find_convention(name).name
        return f"{convention} is a convention; limit total, with convention = {convention!r}"
    meant = {"parameters": "params", "gmacs": "macs", "memory": "peak_memory", "training": "training_memory"}
    close = suggest(meant.get(name.lower(), name), ALL_METRICS)
    return f"there is no such {what}{close}; available: {', '.join(ALL_METRICS)}"


# gc=False: lines refer to numbers and texts alone, so they can never form a cycle, and there are thousands.
class SnapshotLine(Struct, frozen=True, kw_only=True, gc=False):
    """The calls of one op in one layer. Sizes that have their usual value are left empty."""

    layer: str
    """The dotted path of the module; ``""`` is the model itself."""
    op: str
    """The name of the op; ``""`` for the parameters of a module in which no op ran."""
    calls: int = 1
    input: Shape = ()
    output: Shape = ()
    kernel: Shape = ()
    stride: Shape = ()
    """The stride, if it is not 1 in every dimension."""
    padding: Shape = ()
    """The padding, if it is not 0 in every dimension."""
    groups: int = 1
    params: int = 0
    buffers: int = 0
    macs: int = 0
    total: int = 0
    """The cost under the snapshot's convention."""
    counted: bool = True
    """False if the op did work and has no rule."""

    def metric(self, name: Metric) -> int:
        """Return its part of the figure of a metric."""
        return int(getattr(self, name))

    @property
    def content(self) -> tuple[object, ...]:
        """Everything but the name: two lines of the same content are one layer under two names."""
        return tuple(getattr(self, field) for field in _CONTENT)


_CONTENT = tuple(field for field in SnapshotLine.__struct_fields__ if field != "layer")


class HeldLine(Struct, frozen=True, kw_only=True, gc=False):
    """The bytes that one layer holds at the peaks; 0 at a peak that was not asked for."""

    layer: str
    """The dotted path of the module; ``""`` is the model itself, which holds the input."""
    peak_memory: int = 0
    training_memory: int = 0

    def metric(self, name: Metric) -> int:
        """Return the bytes that it holds at a peak."""
        return int(getattr(self, name))


class SnapshotInput(Struct, frozen=True):
    """One tensor among the inputs of the model."""

    shape: Shape
    dtype: str


# dict=True: cached_property keeps what it has computed in the __dict__.
class Snapshot(Struct, frozen=True, kw_only=True, dict=True):
    """What one model costs. Its figures are the sums over its lines."""

    model: str
    """The name of the model in the configuration, or its spec."""
    spec: str
    inputs: tuple[SnapshotInput, ...]
    convention: str
    lines: tuple[SnapshotLine, ...]
    """The lines in the order of their first calls, without those that cost nothing and hold nothing."""
    memory: tuple[HeldLine, ...] = ()
    """What layers hold at the peaks, in the order of the model; empty if no memory was asked for."""
    notes: tuple[str, ...] = ()
    """What a reader of its figures should know, such as which values decide them. It is not locked."""
    stored: str = ""
    """Where their trace was stored, in words; ``""`` if it was taken now. It is not locked."""

    @property
    def locked(self) -> "Snapshot":
        """What a lock keeps of it and compares."""
        return replace(self, notes=(), stored="") if self.notes or self.stored else self

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self._sum("macs")

    @cached_property
    def params(self) -> int:
        """Parameters; tied ones count once."""
        return self._sum("params")

    @cached_property
    def buffers(self) -> int:
        """Elements of the buffers."""
        return self._sum("buffers")

    @cached_property
    def total(self) -> int:
        """The cost under the convention."""
        return self._sum("total")

    @cached_property
    def peak_memory(self) -> int:
        """The bytes in use at the peak of inference; 0 if they were not asked for."""
        return sum(line.peak_memory for line in self.memory)

    @cached_property
    def training_memory(self) -> int:
        """The bytes in use at the peak of a forward and backward pass; 0 as above."""
        return sum(line.training_memory for line in self.memory)

    @property
    def memory_metrics(self) -> tuple[Metric, ...]:
        """The peaks that were asked for; none is 0, since the input alone takes memory."""
        return tuple(metric for metric in MEMORY_METRICS if self.metric(metric))

    @property
    def uncounted(self) -> tuple[SnapshotLine, ...]:
        """The lines of ops that did work and have no rule."""
        return tuple(line for line in self.lines if not line.counted)

    def metric(self, name: Metric) -> int:
        """Return the figure of a metric."""
        return int(getattr(self, name))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that differ from each other: under the convention ``macs``, the total is the MACs."""
        return (*(METRICS[:-1] if self.convention == "macs" else METRICS), *self.memory_metrics)

    def _sum(self, field: str) -> int:
        return sum(getattr(line, field) for line in self.lines)


def snapshot_cost(
    cost: Cost, *, model: str = "", stored: str = "", memory: tuple[HeldLine, ...] = ()
) -> Snapshot:
    """Make the snapshot of a cost.

    Args:
        cost: the cost.
        model: a name for it in place of its own.
        stored: where its trace was stored.
        memory: what its layers hold at the peaks, where that was asked for.
    """
    return Snapshot(
        model=model or cost.model,
        spec=cost.model,
        inputs=tuple(SnapshotInput(tensor.shape, tensor.dtype) for tensor in cost.trace.inputs),
        convention=cost.convention,
        lines=tuple(_list_lines(cost.layers)),
        memory=memory,
        notes=cost.trace.notes,
        stored=stored,
    )


def _list_lines(rows: Iterable[LayerRow]) -> Iterable[SnapshotLine]:
    for row in rows:
        # An uncounted row stays although its figures are 0: it is what makes a check fail.
        if row.counted and not (row.params or row.buffers or row.macs or row.total):
            continue
        yield SnapshotLine(
            layer=row.name,
            op=row.op,
            calls=row.calls,
            input=row.input_shape,
            output=row.output_shape,
            kernel=row.kernel or (),
            stride=_keep_unusual(row.stride, 1),
            padding=_keep_unusual(row.padding, 0),
            groups=row.groups or 1,
            params=row.params,
            buffers=row.buffers,
            macs=row.macs,
            total=row.total,
            counted=row.counted,
        )


def _keep_unusual(sizes: Shape | None, usual: int) -> Shape:
    # The lock file leaves out empty sizes, so most of its lines stay short.
    return sizes if sizes and set(sizes) != {usual} else ()
