"""Trace x convention -> Cost: totals, by layer, by op, and what was not counted."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from resflops.cost.backward import Backward, OpGradient, gradients_of, prices_gradients
from resflops.cost.convention import (
    CONVENTIONS,
    DEFAULT_CONVENTION,
    Convention,
    counts_macs_alone,
    find_convention,
    pricer,
)
from resflops.cost.frames import frame_of
from resflops.cost.layers import LayerRow, layer_rows
from resflops.cost.sparsity import nonzero_macs_of
from resflops.cost.uncounted import UncountedOp, uncounted_ops
from resflops.errors import UsageError
from resflops.extensions import load_extensions
from resflops.ops import OPS, is_free, load_more_ops
from resflops.records import OpRecord, Trace, Work, sum_of
from resflops.storage import Stored

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["DISPLAYS", "Cost", "UncountedOp", "check_prices_gradients", "cost_of", "price"]


class Cost(Stored, frozen=True, kw_only=True, dict=True, tag="cost"):
    """A trace priced under a convention.

    ``works`` and ``prices`` stand op for op beside ``trace.ops``; both are None where an
    op has no rule. They are stored, so that a cost read from a file is the cost that was
    written, whatever rules have become since. So are the ``gradients`` of the backward pass,
    None where it was not asked for. All figures but those of ``backward`` are the forward pass's.
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
        """Multiply-accumulates of all counted ops, under every convention the same."""
        return sum(work.macs for work in self.works if work)

    @cached_property
    def nonzero_macs(self) -> int | None:
        """Multiply-accumulates with a weight that is not zero; None if they were not asked for.

        Where a weight's values are not known (``nonzero_unknown``), it is taken as dense.
        """
        macs = self._nonzero_macs
        return None if macs is None else sum(macs)

    @cached_property
    def nonzero_unknown(self) -> tuple[str, ...]:
        """Layers with MACs whose weights are computed, so that their zeros are not known, each once."""
        unknown = [place for place, each in (self.trace.weights or {}).items() if each.nonzero is None]
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
        return None if weights is None else nonzero_macs_of(self.trace.ops, self.works, weights)

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
    def work(self) -> Work:
        """The work of all counted ops, kind by kind."""
        return sum_of(work for work in self.works if work)

    @cached_property
    def uncounted(self) -> tuple[UncountedOp, ...]:
        """Ops that did work but have no rule, the most data touched first; empty when complete."""
        return uncounted_ops(self.trace, self.works)

    @property
    def complete(self) -> bool:
        """Whether every op that did work has been counted."""
        return None not in self.works

    @cached_property
    def by_op(self) -> dict[str, int]:
        """Cost under the convention by op name, the dearest first; free and uncounted ops left out."""
        totals: dict[str, int] = {}
        for record, price in zip(self.trace.ops, self.prices, strict=True):
            if price:
                totals[record.op] = totals.get(record.op, 0) + price
        return dict(sorted(totals.items(), key=lambda item: -item[1]))

    @cached_property
    def layers(self) -> tuple[LayerRow, ...]:
        """One row for each layer and op; the rows' params, macs and totals add up to the cost's."""
        return layer_rows(self.trace, self.works, self.prices, self.priced_by, nonzero=self._nonzero_macs)

    @cached_property
    def backward(self) -> Backward | None:
        """The backward pass under the same convention; None if it was not asked for.

        Raises:
            UsageError: the convention does not say what a backward pass counts.
        """
        if self.gradients is None:
            return None
        check_prices_gradients(self.priced_by)
        return Backward(trace=self.trace, priced_by=self.priced_by, gradients=self.gradients)

    def under(self, name: str) -> "Cost":
        """The same trace, and its backward pass if known, under another convention.

        Raises:
            UnknownConventionError: there is no convention of that name.
        """
        other = find_convention(name)
        return _priced(self.trace, other, self.works, self.gradients)

    def to_frame(self) -> "pd.DataFrame":
        """The layers as a pandas data frame, one row each, numbers as numbers."""
        return frame_of(LayerRow, self.layers)

    def plot(self, what: str = "profile", *, dark: bool = False) -> "Figure":
        """Draw it: in a notebook the figure shows itself, elsewhere ``savefig`` it.

        Args:
            what: ``profile``, layer by layer along the depth, or ``stages``, by the size of the
                feature maps.
            dark: for a dark background.

        Raises:
            UsageError: there is no such picture, or the model costs nothing under the convention.
        """
        figure: Figure = _display("plot")(self, what, dark=dark)
        return figure

    def _repr_html_(self) -> str:
        shown: str = _display("html")(self)
        return shown


DISPLAYS: dict[str, Callable[..., Any]] = {}
"""How a cost is shown: ``html`` in a notebook, and ``plot``. What displays costs registers itself here."""


def _display(name: str) -> Callable[..., Any]:
    load_extensions("resflops.displays")
    return DISPLAYS[name]


def cost_of(trace: Trace, *, convention_name: str = DEFAULT_CONVENTION, backward: bool = False) -> Cost:
    """Price a trace under the convention of a name, and its backward pass if asked for.

    Raises:
        UnknownConventionError: there is no convention of that name.
        UsageError: as of ``price``.
    """
    return price(trace, find_convention(convention_name), backward=backward)


def price(trace: Trace, using: Convention, *, backward: bool = False) -> Cost:
    """Price a trace under a convention, and its backward pass if asked for.

    Raises:
        UsageError: the convention does not say what a backward pass counts, or the trace is
            too old to tell where a gradient is needed.
    """
    if backward:
        check_prices_gradients(using)
    return _priced(trace, using, _work(trace.ops), gradients_of(trace) if backward else None)


def check_prices_gradients(using: Convention) -> None:
    """Refuse a convention that does not say what a backward pass counts.

    Raises:
        UsageError: it does not; the message names those that do.
    """
    if not prices_gradients(using):
        others = ", ".join(name for name, known in CONVENTIONS.items() if prices_gradients(known))
        raise UsageError(
            f"convention {using.name!r} does not say what a backward pass counts; these do: {others}"
        )


_NOTHING = Work()
_NONE: set[str] = set()


def _work(ops: Iterable[OpRecord]) -> tuple[Work | None, ...]:
    """Op for op, what it does; None where that is not known. One loop, for a count asks this of every op."""
    declared = OPS.get
    works: list[Work | None] = []
    for record in ops:
        known = declared(record.op)
        if known is None:
            # It may be another distribution's, in a stored trace. Loaded once, this takes nothing after that.
            load_more_ops()
            known = declared(record.op)
        if known is None:
            works.append(None)
        elif known.work is not None:
            works.append(known.work(record))
        else:
            works.append(_NOTHING if known.free else None)
    return tuple(works)


def _priced(
    trace: Trace,
    chosen: Convention,
    works: tuple[Work | None, ...],
    gradients: tuple[OpGradient | None, ...] | None,
) -> Cost:
    if counts_macs_alone(chosen):
        macs = tuple([None if work is None else work.macs for work in works])
        return Cost(trace=trace, priced_by=chosen, works=works, prices=macs, gradients=gradients)
    price_op = pricer(chosen, trace)
    # Another counter may well charge for what is no work.
    free = _NONE if chosen.views else {op for op in {record.op for record in trace.ops} if is_free(op)}
    prices = tuple(
        None if work is None else 0 if record.op in free else price_op(record, work)
        for record, work in zip(trace.ops, works, strict=True)
    )
    return Cost(trace=trace, priced_by=chosen, works=works, prices=prices, gradients=gradients)
