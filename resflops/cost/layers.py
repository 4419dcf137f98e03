"""A cost layer by layer: one row for each layer and op, in the order of the first calls."""

from collections.abc import Iterable
from math import prod

from msgspec import Struct

from resflops.cost.convention import Convention
from resflops.cost.formula import formula
from resflops.cost.receptive_field import Field, receptive_fields
from resflops.ops import is_free, is_of_family
from resflops.records import ModuleRecord, OpRecord, Shape, Trace, Work

__all__ = ["LayerRow", "StageRow", "folded_rows", "layer_rows", "stage_rows"]


class LayerRow(Struct, frozen=True, kw_only=True):
    """What one layer does with one op; calls on the same shapes share a row."""

    name: str
    """Dotted path of the module; ``""`` is the model itself."""
    op: str
    """The op; ``""`` for parameters of a module that no op ran in."""
    calls: int
    input_shape: Shape
    output_shape: Shape
    kernel: Shape | None = None
    stride: Shape | None = None
    padding: Shape | None = None
    groups: int | None = None
    params: int
    """Parameters of the module itself, in the row of its first op; tied ones where they are met first."""
    trainable: int
    frozen: int
    buffers: int
    """Elements of the module's own buffers, in the row of its first op."""
    macs: int
    total: int
    """Cost under the convention, of all calls."""
    share: float
    """Of the model's total, 0 to 1."""
    counted: bool
    """False where the op did work and has no rule."""
    nonzero_macs: int | None = None
    """Those of ``macs`` with a weight that is not zero; None if they were not asked for."""
    receptive_field: Shape | None = None
    effective_stride: Shape | None = None
    formula: str
    """``56·56·64·(3·3·64) = 115,605,504``; ``""`` where the total is zero."""

    @property
    def activations(self) -> int:
        """Elements of its output, of all calls; none where no op ran."""
        return prod(self.output_shape) * self.calls


class StageRow(Struct, frozen=True, kw_only=True):
    """Layers added up: a part of the module tree, or a stage as the paper calls it."""

    name: str
    output_shape: Shape
    params: int
    trainable: int
    frozen: int
    buffers: int
    macs: int
    total: int
    share: float
    counted: bool
    nonzero_macs: int | None = None


class Holding(Struct, frozen=True, kw_only=True):
    """What one module holds itself, without the modules inside it; tied tensors where met first."""

    trainable: int = 0
    frozen: int = 0
    buffers: int = 0

    @property
    def params(self) -> int:
        """Parameters, trainable and frozen."""
        return self.trainable + self.frozen


def layer_rows(
    trace: Trace,
    works: tuple[Work | None, ...],
    prices: tuple[int | None, ...],
    using: Convention,
    *,
    nonzero: tuple[int, ...] | None = None,
) -> tuple[LayerRow, ...]:
    """The rows of a priced trace. Free ops make no row unless they are priced, uncounted ones do.

    Args:
        trace: the ops.
        works: op for op.
        prices: op for op.
        using: the convention of the prices.
        nonzero: multiply-accumulates with a weight that is not zero, op for op.
    """
    total = sum(price for price in prices if price)
    groups: dict[tuple[str, str, tuple[Shape, ...], Shape], list[int]] = {}
    for index, record in enumerate(trace.ops):
        if prices[index] or not is_free(record.op):
            key = (record.layer, record.op, record.input_shapes, record.output_shape)
            groups.setdefault(key, []).append(index)
    fields = receptive_fields(trace)
    unspent = {module.path: _held_by(module) for module in trace.modules}
    rows = []
    for indices in groups.values():
        first = indices[0]
        record = trace.ops[first]
        rows.append(
            _row(record, works[first], prices[first], fields[first], using,
                 nonzero=sum(nonzero[index] for index in indices) if nonzero else None,
                 calls=len(indices), held=unspent.pop(record.layer, Holding()), whole=total)
        )  # fmt: skip
    rows += [
        _uncalled(path, held, 0 if nonzero else None) for path, held in unspent.items() if held != Holding()
    ]
    return tuple(rows)


def _held_by(module: ModuleRecord) -> Holding:
    own = [tensor for tensor in module.parameters if not tensor.tied_to]
    return Holding(
        trainable=sum(tensor.elements for tensor in own if tensor.trainable),
        frozen=sum(tensor.elements for tensor in own if not tensor.trainable),
        buffers=sum(tensor.elements for tensor in module.buffers if not tensor.tied_to),
    )


def _row(
    record: OpRecord,
    work: Work | None,
    price: int | None,
    field: Field | None,
    using: Convention,
    *,
    nonzero: int | None,
    calls: int,
    held: Holding,
    whole: int,
) -> LayerRow:
    done, cost = work or Work(), price or 0
    attributes = record.attributes
    groups = attributes.get("groups") if is_of_family(record.op, "convolution") else None
    return LayerRow(
        name=record.layer,
        op=record.op,
        calls=calls,
        input_shape=record.input_shapes[0] if record.input_shapes else (),
        output_shape=record.output_shape,
        kernel=_sizes(attributes.get("kernel")),
        stride=_sizes(attributes.get("stride")),
        padding=_sizes(attributes.get("padding")),
        groups=groups if isinstance(groups, int) else None,
        params=held.params,
        trainable=held.trainable,
        frozen=held.frozen,
        buffers=held.buffers,
        macs=done.macs * calls,
        total=cost * calls,
        share=cost * calls / whole if whole else 0.0,
        counted=work is not None,
        nonzero_macs=nonzero,
        receptive_field=field.size if field else None,
        effective_stride=field.stride if field and not field.whole else None,
        formula=formula(record, done, using.prices_of(record.op), price=cost, calls=calls),
    )


def _sizes(value: object) -> Shape | None:
    return value if isinstance(value, tuple) else None


def _uncalled(path: str, held: Holding, nonzero: int | None) -> LayerRow:
    return LayerRow(
        name=path, op="", calls=0, input_shape=(), output_shape=(), params=held.params,
        trainable=held.trainable, frozen=held.frozen, buffers=held.buffers, macs=0, total=0, share=0.0,
        counted=True, formula="", nonzero_macs=nonzero,
    )  # fmt: skip


def folded_rows(rows: Iterable[LayerRow], *, depth: int) -> tuple[StageRow, ...]:
    """Rows added up to a depth of the module tree: 1 gives the model's direct children."""
    return _added((".".join(row.name.split(".")[:depth]) if row.name else "", row) for row in rows)


def stage_rows(trace: Trace, rows: Iterable[LayerRow]) -> tuple[StageRow, ...]:
    """Rows added up by the stages that the model names; empty if it names none."""
    if not trace.stages:
        return ()
    return _added((trace.stage_of(row.name), row) for row in rows)


def _added(named: Iterable[tuple[str, LayerRow]]) -> tuple[StageRow, ...]:
    groups: dict[str, list[LayerRow]] = {}
    for name, row in named:
        groups.setdefault(name, []).append(row)
    return tuple(
        StageRow(
            name=name,
            output_shape=next((row.output_shape for row in reversed(rows) if row.output_shape), ()),
            params=sum(row.params for row in rows),
            trainable=sum(row.trainable for row in rows),
            frozen=sum(row.frozen for row in rows),
            buffers=sum(row.buffers for row in rows),
            macs=sum(row.macs for row in rows),
            total=sum(row.total for row in rows),
            share=sum(row.share for row in rows),
            counted=all(row.counted for row in rows),
            nonzero_macs=None
            if any(row.nonzero_macs is None for row in rows)
            else sum(row.nonzero_macs or 0 for row in rows),
        )
        for name, rows in groups.items()
    )
