"""What a model costs, line by line: as much of a ``Cost`` as the gate keeps and compares."""

from collections.abc import Iterable
from functools import cached_property
from typing import Literal

from msgspec import Struct

from resflops.cost import Cost
from resflops.cost.layers import LayerRow
from resflops.records import Shape

__all__ = ["METRICS", "Metric", "Snapshot", "SnapshotInput", "SnapshotLine", "snapshot_cost"]

Metric = Literal["macs", "params", "buffers", "total"]
METRICS: tuple[Metric, ...] = ("macs", "params", "buffers", "total")
"""What can be limited; ``total`` is under the model's convention."""


class SnapshotLine(Struct, frozen=True, kw_only=True, gc=False):
    """What one layer does with one op. Sizes that are the usual ones are left empty."""

    layer: str
    """Dotted path; ``""`` is the model itself."""
    op: str
    """``""`` for parameters of a module that no op ran in."""
    calls: int = 1
    input: Shape = ()
    output: Shape = ()
    kernel: Shape = ()
    stride: Shape = ()
    """Where it is not 1 in every dimension."""
    padding: Shape = ()
    """Where it is not 0 in every dimension."""
    groups: int = 1
    params: int = 0
    buffers: int = 0
    macs: int = 0
    total: int = 0
    """Under the snapshot's convention."""
    counted: bool = True
    """False where the op did work and has no rule."""

    @property
    def content(self) -> tuple[object, ...]:
        """All but the name: layers of one content are the same layer under two names."""
        return tuple(getattr(self, field) for field in _CONTENT)


_CONTENT = tuple(field for field in SnapshotLine.__struct_fields__ if field != "layer")


class SnapshotInput(Struct, frozen=True):
    """A tensor that the model was given."""

    shape: Shape
    dtype: str


class Snapshot(Struct, frozen=True, kw_only=True, dict=True):
    """What one model costs. Its figures are the sums over its lines."""

    model: str
    """Its name in the configuration, or the spec."""
    spec: str
    inputs: tuple[SnapshotInput, ...]
    convention: str
    lines: tuple[SnapshotLine, ...]
    """In the order of the first calls; those that cost, hold and lack nothing are left out."""

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self._sum("macs")

    @cached_property
    def params(self) -> int:
        """Parameters, tied ones once."""
        return self._sum("params")

    @cached_property
    def buffers(self) -> int:
        """Elements of the buffers."""
        return self._sum("buffers")

    @cached_property
    def total(self) -> int:
        """Cost under the convention."""
        return self._sum("total")

    @property
    def uncounted(self) -> tuple[SnapshotLine, ...]:
        """Lines of ops that did work and have no rule."""
        return tuple(line for line in self.lines if not line.counted)

    def metric(self, name: Metric) -> int:
        """The figure of that name."""
        return int(getattr(self, name))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Those that say different things: under ``macs`` the total is the MACs."""
        return METRICS[:-1] if self.convention == "macs" else METRICS

    def _sum(self, field: str) -> int:
        return sum(getattr(line, field) for line in self.lines)


def snapshot_cost(cost: Cost, *, model: str = "") -> Snapshot:
    """The snapshot of a cost, under the model's own name or another."""
    return Snapshot(
        model=model or cost.model,
        spec=cost.model,
        inputs=tuple(SnapshotInput(given.shape, given.dtype) for given in cost.trace.inputs),
        convention=cost.convention,
        lines=tuple(_list_lines(cost.layers)),
    )


def _list_lines(rows: Iterable[LayerRow]) -> Iterable[SnapshotLine]:
    for row in rows:
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
    return sizes if sizes and set(sizes) != {usual} else ()
