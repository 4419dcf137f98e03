"""Price a trace under a convention: totals, costs by layer and by op, and what was not counted."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from msgspec.structs import replace

from resflops.cost.backward import Backward, OpGradient, count_gradients, prices_gradients
from resflops.cost.convention import (
    CONVENTIONS,
    Convention,
    counts_macs_alone,
    find_convention,
    make_pricer,
)
from resflops.cost.frames import make_frame
from resflops.cost.layers import LayerRow, Layers, make_layer_rows, sum_by_module
from resflops.cost.representation import ANSWERS, represent_cost
from resflops.cost.sparsity import count_nonzero_macs
from resflops.cost.uncounted import UncountedOp, find_uncounted_ops
from resflops.errors import UsageError, explain_missing
from resflops.extensions import find_display
from resflops.ops import COMPLEX_TYPES, OPS, is_free, load_more_ops
from resflops.records import OpRecord, Trace, Work, add_works
from resflops.storage import Stored, blame_file

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from resflops.peak_memory.records import Memory
    from resflops.tables import Table

__all__ = ["Cost", "UncountedOp", "check_prices_gradients", "price"]


# ``dict=True`` because a cached property keeps its value in the instance's ``__dict__``.
class Cost(Stored, frozen=True, kw_only=True, dict=True, tag="cost"):
    """A trace priced under a convention.

    ``works`` and ``prices`` have one entry for each of ``trace.ops``; both are None where an op
    has no rule. They are stored, so that a cost read from a file is the cost that was written,
    even if rules have changed since. So are the ``gradients`` of the backward pass, which are
    None if it was not asked for. All figures except ``backward`` are those of the forward pass.
    """

    trace: Trace
    priced_by: Convention
    works: tuple[Work | None, ...]
    prices: tuple[int | None, ...]
    gradients: tuple[OpGradient | None, ...] | None = None

    @property
    def model(self) -> str:
        """The spec or class name of the model."""
        return self.trace.model

    @property
    def convention(self) -> str:
        """Name of the convention that ``total`` is under."""
        return self.priced_by.name

    @cached_property
    def total(self) -> int:
        """The cost of all counted ops under the convention."""
        return sum(price for price in self.prices if price)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of all counted ops, the same under every convention."""
        return sum(work.macs for work in self.works if work)

    @cached_property
    def nonzero_macs(self) -> int | None:
        """Multiply-accumulates with a weight that is not zero; None if they were not asked for.

        A weight whose values are not known (``nonzero_unknown``) is taken as dense.
        """
        macs = self._nonzero_macs
        return None if macs is None else sum(macs)

    @cached_property
    def nonzero_unknown(self) -> tuple[str, ...]:
        """Layers whose MACs use a computed weight, so that its zeros are not known; each layer once."""
        unknown = [place for place, weights in (self.trace.weights or {}).items() if weights.nonzero is None]
        return tuple(
            dict.fromkeys(
                self.trace.ops[place].layer
                for place in unknown
                if (work := self.works[place]) is not None and work.macs
            )
        )

    @cached_property
    def _nonzero_macs(self) -> tuple[int, ...] | None:
        weights = self.trace.weights
        return None if weights is None else count_nonzero_macs(self.trace.ops, self.works, weights)

    @property
    def params(self) -> int:
        """Parameters, trainable and frozen; tied ones once."""
        return self.trace.params

    @property
    def trainable(self) -> int:
        """Parameters that require a gradient; tied ones once."""
        return self.trace.trainable

    @property
    def frozen(self) -> int:
        """Parameters that require no gradient; tied ones once."""
        return self.trace.frozen

    @property
    def buffers(self) -> int:
        """Elements of the buffers; tied ones once."""
        return self.trace.buffers

    @cached_property
    def memory(self) -> "Memory":
        """The memory of inference, worked out by rules; ``resflops.memory`` measures that of a live model."""
        from resflops.peak_memory.from_traces import estimate_memory
        from resflops.peak_memory.options import Options

        return estimate_memory(self.trace, Options())

    @cached_property
    def training_memory(self) -> "Memory":
        """The memory of a forward and a backward pass, worked out by rules, without an optimiser."""
        from resflops.peak_memory.from_traces import estimate_memory
        from resflops.peak_memory.options import Options

        return estimate_memory(self.trace, Options(training=True))

    @cached_property
    def work(self) -> Work:
        """The work of all counted ops, kind by kind."""
        return add_works(work for work in self.works if work)

    @cached_property
    def uncounted(self) -> tuple[UncountedOp, ...]:
        """Ops that did work but have no rule, those that touch the most data first; empty when complete."""
        return find_uncounted_ops(self.trace, self.works)

    @property
    def complete(self) -> bool:
        """Whether every op that did work has been counted."""
        return None not in self.works

    @cached_property
    def by_op(self) -> dict[str, int]:
        """Cost under the convention by op name, the most expensive first, without free and uncounted ops."""
        totals: dict[str, int] = {}
        for record, price in zip(self.trace.ops, self.prices, strict=True):
            if price:
                totals[record.op] = totals.get(record.op, 0) + price
        return dict(sorted(totals.items(), key=lambda item: -item[1]))

    @cached_property
    def layers(self) -> Layers:
        """One row for each layer and op; the rows' params, macs and totals add up to the cost's."""
        with blame_file(self, self.trace):
            rows = make_layer_rows(
                self.trace, self.works, self.prices, self.priced_by, nonzero=self._nonzero_macs
            )
        # Of a copy: the rows are kept here, and a circle would leave both to the garbage collector.
        return Layers(rows, cost=replace(self, gradients=None))

    def by_module(self, *, depth: int | None = None) -> dict[str, int]:
        """Give the cost under the convention by the dotted path of the module, with all that is in it.

        The model itself is ``""``. With ``depth``, modules below this depth of the tree are left out.
        """
        return sum_by_module(self.trace, self.layers, depth=depth)

    @cached_property
    def backward(self) -> Backward | None:
        """The backward pass under the same convention; None if it was not asked for.

        Raises:
            UsageError: the convention does not define the cost of a backward pass.
        """
        if self.gradients is None:
            return None
        check_prices_gradients(self.priced_by)
        return Backward(trace=self.trace, priced_by=self.priced_by, gradients=self.gradients)

    def under(self, name: str) -> "Cost":
        """Price the same trace, and its backward pass if known, under another convention.

        Raises:
            UnknownConventionError: there is no convention of that name.
        """
        convention = find_convention(name)
        with blame_file(self, self.trace):
            return _price_works(self.trace, convention, self.works, self.gradients)

    def check(self) -> None:
        """Check that a cost from a file has a work and a price for each op, and a trace that is sound."""
        self.trace.check()
        for name in ("works", "prices", "gradients"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.trace.ops):
                raise ValueError(f"it has {len(values)} {name} for {len(self.trace.ops)} ops")
        for place, (work, price) in enumerate(zip(self.works, self.prices, strict=True)):
            if (
                (work is None) != (price is None)
                or (price or 0) < 0
                or (work and min(dict(work.kinds()).values(), default=0) < 0)
            ):
                raise ValueError(f"op {place} has a work and a price that contradict each other")

    def to_frame(self) -> "pd.DataFrame":
        """Turn the layers into a pandas data frame, one row each, numbers as numbers."""
        return make_frame(LayerRow, self.layers)

    to_pandas = to_frame

    def summary(self, *, depth: int = 3, columns: Sequence[str] = ()) -> "Table":
        """Sum the model up module by module, as torchinfo does; the table prints itself.

        Args:
            depth: how deep into the module tree to go.
            columns: which columns to show, and in which order, such as ``output_shape``, ``params`` and
                ``macs``; the usual ones if none is named.

        Raises:
            UsageError: there is no such column, or the depth is not above 0.
        """
        table: Table = find_display("summary")(self, depth=depth, columns=columns)
        return table

    def to_markdown(self, *, depth: int | None = None) -> str:
        """Write the layers as a Markdown table, or modules of the tree up to a depth."""
        return self._render("markdown", depth)

    def to_latex(self, *, depth: int | None = None) -> str:
        """Write the layers as a LaTeX table, or modules of the tree up to a depth."""
        return self._render("latex", depth)

    def _render(self, name: str, depth: int | None) -> str:
        table: Table = find_display("layers")(self, depth=depth)
        return table.render(name)

    def plot(self, what: str = "profile", *, dark: bool = False) -> "Figure":
        """Draw the cost. A notebook shows the figure, and so does pyplot's ``show`` where pyplot is imported.

        Elsewhere, save it with its ``savefig``.

        Args:
            what: ``profile``, layer by layer along the depth, or ``stages``, by the size of the
                feature maps.
            dark: for a dark background.

        Raises:
            UsageError: there is no such picture, or the model costs nothing under the convention.
        """
        figure: Figure = find_display("plot")(self, what, dark=dark)
        return figure

    def __repr__(self) -> str:
        return represent_cost(self)

    # A type checker must not take it to mean that every attribute is there.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(explain_missing(self, name, ANSWERS))


def price(trace: Trace, convention: Convention, *, backward: bool = False) -> Cost:
    """Price a trace under a convention, and its backward pass if asked for.

    Raises:
        UsageError: the convention does not define the cost of a backward pass, or the trace is
            too old to say where a gradient is needed.
    """
    if backward:
        check_prices_gradients(convention)
    with blame_file(trace):
        return _price_works(
            trace, convention, _count_works(trace.ops), count_gradients(trace) if backward else None
        )


def check_prices_gradients(convention: Convention) -> None:
    """Refuse a convention that does not define the cost of a backward pass.

    Raises:
        UsageError: it does not; the message names the conventions that do.
    """
    if not prices_gradients(convention):
        others = ", ".join(name for name, known in CONVENTIONS.items() if prices_gradients(known))
        raise UsageError(
            f"convention {convention.name!r} does not define the cost of a backward pass; these do: {others}"
        )


_NOTHING = Work()
_NO_OPS: set[str] = set()


def _count_works(ops: Iterable[OpRecord]) -> tuple[Work | None, ...]:
    """Count the work of each op; None where it is not known."""
    # One plain loop without a call of its own: every count runs it for every op of the model.
    find_op, complex_types = OPS.get, COMPLEX_TYPES
    works: list[Work | None] = []
    for record in ops:
        declared = find_op(record.op)
        if declared is None:
            # In a stored trace the op may be another distribution's. After the first time this loads nothing.
            load_more_ops()
            declared = find_op(record.op)
        if declared is None:
            works.append(None)
        elif declared.work is not None:
            # What ``is_complex`` asks, written out for the same reason.
            if record.dtype in complex_types or "complex" in record.attributes:
                works.append(None if declared.on_complex is None else declared.on_complex(record))
            else:
                works.append(declared.work(record))
        else:
            works.append(_NOTHING if declared.free else None)
    return tuple(works)


def _price_works(
    trace: Trace,
    convention: Convention,
    works: tuple[Work | None, ...],
    gradients: tuple[OpGradient | None, ...] | None,
) -> Cost:
    # The default convention, and so worth a way of its own, without a pricer and the set of free ops.
    if counts_macs_alone(convention):
        macs = tuple([None if work is None else work.macs for work in works])
        return Cost(trace=trace, priced_by=convention, works=works, prices=macs, gradients=gradients)
    price_op = make_pricer(convention, trace)
    # A free op costs nothing under a price list of our own, even one that prices output elements; another
    # counter may well charge for an op that does no work.
    free = _NO_OPS if convention.views else {op for op in {record.op for record in trace.ops} if is_free(op)}
    prices = tuple(
        None if work is None else 0 if record.op in free else price_op(record, work)
        for record, work in zip(trace.ops, works, strict=True)
    )
    return Cost(trace=trace, priced_by=convention, works=works, prices=prices, gradients=gradients)
