"""A cost layer by layer: one row for each layer and op, in the order of the first calls."""

from collections.abc import Iterable
from math import prod
from typing import Self

from msgspec import Struct

from resflops.cost.convention import Convention
from resflops.cost.formula import format_formula
from resflops.cost.receptive_field import Field, compute_receptive_fields
from resflops.extensions import find_display
from resflops.ops import is_free, is_of_family
from resflops.records import ModuleRecord, OpRecord, Shape, Trace, Work

__all__ = ["LayerRow", "Layers", "StageRow", "make_layer_rows", "sum_by_depth", "sum_by_stage"]


class LayerRow(Struct, frozen=True, kw_only=True):
    """The cost of one op in one layer; calls on the same shapes share a row."""

    name: str
    """Dotted path of the module; ``""`` is the model itself."""
    op: str
    """Name of the op; ``""`` in the row of a module that holds tensors but ran no op."""
    calls: int
    input_shape: Shape
    output_shape: Shape
    kernel: Shape | None = None
    stride: Shape | None = None
    padding: Shape | None = None
    groups: int | None = None
    params: int
    """Parameters of the module itself, in the row of its first op; tied ones count where first met."""
    trainable: int
    frozen: int
    buffers: int
    """Elements of the module's own buffers, in the row of its first op."""
    macs: int
    total: int
    """Cost of all calls, under the convention."""
    share: float
    """Fraction of the model's total, 0 to 1."""
    counted: bool
    """False where the op did work and has no rule."""
    nonzero_macs: int | None = None
    """The part of ``macs`` whose weight is not zero; None if it was not asked for."""
    receptive_field: Shape | None = None
    effective_stride: Shape | None = None
    formula: str
    """``56·56·64·(3·3·64) = 115,605,504``; ``""`` where the total is zero."""

    @property
    def activations(self) -> int:
        """Elements of the output over all calls; 0 where no op ran."""
        return prod(self.output_shape) * self.calls

    def __repr__(self) -> str:
        shapes = " → ".join(
            "×".join(map(str, sizes)) for sizes in (self.input_shape, self.output_shape) if sizes
        )
        where = " ".join(part for part in (self.name or "the model itself", self.op, shapes) if part)
        total = "" if self.total == self.macs else f", total {self.total:,}"
        figures = f"{self.macs:,} MACs{total}" if self.counted else "not counted"
        return f"LayerRow({where}: {figures}, {self.params:,} parameters)"

    # msgspec gives every struct one, which would show every field.
    __rich_repr__ = None  # type: ignore[assignment]


class Layers(tuple[LayerRow, ...]):
    """The rows of a cost, in order, which show themselves as a table in a notebook."""

    cost: object
    """The cost that they are of."""

    def __new__(cls, rows: Iterable[LayerRow] = (), *, cost: object = None) -> Self:
        """Make it of rows."""
        made = super().__new__(cls, rows)
        made.cost = cost
        return made

    def __repr__(self) -> str:
        total = sum(row.macs for row in self)
        return f"Layers({len(self)} rows: {total:,} MACs, {sum(row.params for row in self):,} parameters)"

    def _repr_html_(self) -> str:
        html: str = find_display("html")(self)
        return html


class StageRow(Struct, frozen=True, kw_only=True):
    """The sum of some layers: those of a part of the module tree, or of a stage as the paper calls it."""

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


class HeldTensors(Struct, frozen=True, kw_only=True):
    """The tensors of one module without its submodules; tied ones count where they are met first."""

    trainable: int = 0
    frozen: int = 0
    buffers: int = 0

    @property
    def params(self) -> int:
        """Parameters, trainable and frozen."""
        return self.trainable + self.frozen


def make_layer_rows(
    trace: Trace,
    works: tuple[Work | None, ...],
    prices: tuple[int | None, ...],
    convention: Convention,
    *,
    nonzero: tuple[int, ...] | None = None,
) -> tuple[LayerRow, ...]:
    """Make the rows of a priced trace. A free op gets a row only if it is priced, an uncounted op always.

    Args:
        trace: the ops.
        works: the work of each op.
        prices: the price of each op.
        convention: the price list that ``prices`` were made with.
        nonzero: for each op, its multiply-accumulates whose weight is not zero.
    """
    total = sum(price for price in prices if price)
    groups: dict[tuple[str, str, tuple[Shape, ...], Shape], list[int]] = {}
    # A dict keeps the order of the first calls, which is that of the rows.
    for index, record in enumerate(trace.ops):
        if prices[index] or not is_free(record.op):
            key = (record.layer, record.op, record.input_shapes, record.output_shape)
            groups.setdefault(key, []).append(index)
    fields = compute_receptive_fields(trace)
    # A module's tensors go into the row of its first op and are taken out here, so that they count once.
    unspent = {module.path: _count_held(module) for module in trace.modules}
    rows = []
    for indices in groups.values():
        first = indices[0]
        record = trace.ops[first]
        rows.append(
            _make_row(record, works[first], prices[first], fields[first], convention,
                 nonzero=sum(nonzero[index] for index in indices) if nonzero else None,
                 calls=len(indices), held=unspent.pop(record.layer, HeldTensors()), model_total=total)
        )  # fmt: skip
    rows += [
        _make_uncalled_row(path, held, 0 if nonzero else None)
        for path, held in unspent.items()
        if held != HeldTensors()
    ]
    return tuple(rows)


def _count_held(module: ModuleRecord) -> HeldTensors:
    own = [tensor for tensor in module.parameters if not tensor.tied_to]
    return HeldTensors(
        trainable=sum(tensor.elements for tensor in own if tensor.trainable),
        frozen=sum(tensor.elements for tensor in own if not tensor.trainable),
        buffers=sum(tensor.elements for tensor in module.buffers if not tensor.tied_to),
    )


def _make_row(
    record: OpRecord,
    work: Work | None,
    price: int | None,
    field: Field | None,
    convention: Convention,
    *,
    nonzero: int | None,
    calls: int,
    held: HeldTensors,
    model_total: int,
) -> LayerRow:
    done, cost = work or Work(), price or 0
    attributes = record.attributes
    # A normalisation has an attribute of the same name, which counts its statistics, not groups of channels.
    groups = attributes.get("groups") if is_of_family(record.op, "convolution") else None
    return LayerRow(
        name=record.layer,
        op=record.op,
        calls=calls,
        input_shape=record.input_shapes[0] if record.input_shapes else (),
        output_shape=record.output_shape,
        kernel=_read_sizes(attributes.get("kernel")),
        stride=_read_sizes(attributes.get("stride")),
        padding=_read_sizes(attributes.get("padding")),
        groups=groups if isinstance(groups, int) else None,
        params=held.params,
        trainable=held.trainable,
        frozen=held.frozen,
        buffers=held.buffers,
        macs=done.macs * calls,
        total=cost * calls,
        share=cost * calls / model_total if model_total else 0.0,
        counted=work is not None,
        nonzero_macs=nonzero,
        receptive_field=field.size if field else None,
        # Once every position is gathered into one, no neighbour is left to be a stride away.
        effective_stride=field.stride if field and not field.whole else None,
        formula=format_formula(record, done, convention.prices_of(record.op), price=cost, calls=calls),
    )


def _read_sizes(value: object) -> Shape | None:
    return value if isinstance(value, tuple) else None


def _make_uncalled_row(path: str, held: HeldTensors, nonzero: int | None) -> LayerRow:
    return LayerRow(
        name=path, op="", calls=0, input_shape=(), output_shape=(), params=held.params,
        trainable=held.trainable, frozen=held.frozen, buffers=held.buffers, macs=0, total=0, share=0.0,
        counted=True, formula="", nonzero_macs=nonzero,
    )  # fmt: skip


def sum_by_depth(rows: Iterable[LayerRow], *, depth: int) -> tuple[StageRow, ...]:
    """Add rows up to a depth of the module tree: 1 gives the model's direct children."""
    return _sum_rows((".".join(row.name.split(".")[:depth]) if row.name else "", row) for row in rows)


def sum_by_module(trace: Trace, rows: Iterable[LayerRow], *, depth: int | None) -> dict[str, int]:
    """Add up what each module costs with all that is in it, in the order of the modules."""
    totals = {
        module.path: 0 for module in trace.modules if depth is None or _find_depth(module.path) <= depth
    }
    for row in rows:
        for path in list_ancestors(row.name):
            if path in totals:
                totals[path] += row.total
    return totals


def _find_depth(path: str) -> int:
    return path.count(".") + 1 if path else 0


def list_ancestors(path: str) -> list[str]:
    """List the paths of a module and of all modules around it, the model itself first.

    >>> list_ancestors("layer1.0.conv1")
    ['', 'layer1', 'layer1.0', 'layer1.0.conv1']
    """
    parts = path.split(".") if path else []
    return [".".join(parts[:length]) for length in range(len(parts) + 1)]


def sum_by_stage(trace: Trace, rows: Iterable[LayerRow]) -> tuple[StageRow, ...]:
    """Add rows up by the stages that the model names; empty if it names none."""
    if not trace.stages:
        return ()
    return _sum_rows((trace.stage_of(row.name), row) for row in rows)


def _sum_rows(named: Iterable[tuple[str, LayerRow]]) -> tuple[StageRow, ...]:
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
