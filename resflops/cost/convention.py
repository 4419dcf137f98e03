"""Conventions: price lists that turn an op's work into one number.

An op's work is a vector (``records.Work``); a convention says how much each kind counts.
It is data: quantities (``quantities.py``) and integer prices, for every op alike and, where
needed, for single ops. Another counter's convention also says what that counter looks at: a
counter of modules charges for a ReLU that is a module and not for one that is a function call.
"""

from collections.abc import Callable, Iterator
from functools import cache

from msgspec import Struct

from resflops.cost.quantities import QUANTITIES, Measure, Quantity
from resflops.errors import DuplicateError, UnknownConventionError, near
from resflops.extensions import load_extensions
from resflops.records import ModuleRecord, OpRecord, Trace, Work

__all__ = [
    "CONVENTIONS",
    "DEFAULT_CONVENTION",
    "Charge",
    "Convention",
    "View",
    "charges_of",
    "counts_macs_alone",
    "find_convention",
    "pricer",
    "register_convention",
]

Prices = dict[str, int]
"""Name of a quantity to its price."""


class View(Struct, frozen=True, kw_only=True):
    """One of the ways in which a counter looks at a model, and what it charges for what it sees."""

    sees: str
    """What it looks at, in words."""
    charges: dict[str, Prices]
    """Op to what it is charged. What is not listed is seen and costs nothing, or is not seen."""
    modules: tuple[str, ...] = ()
    """Only ops that run in a module of these classes of ``torch.nn``; ``()`` looks everywhere."""
    subclasses: bool = False
    """Whether a class that is derived from one of ``modules`` is one as well."""
    leaves: bool = False
    """Only ops that run in a module that has no modules inside."""
    outside: tuple[str, ...] = ()
    """No op that runs anywhere inside a module of these classes, or of one derived from them."""
    again: str = ""
    """Why work is charged that another view has charged already; ``""`` where it is not."""


class Convention(Struct, frozen=True, kw_only=True):
    """A named price list."""

    name: str
    counts: str
    """What it counts, in one sentence."""
    source: str
    """Who counts like this, and where that is written."""
    prices: Prices = {}
    """What a unit of each quantity counts; what is not listed counts nothing."""
    op_prices: dict[str, Prices] = {}
    """Prices of single ops, in place of ``prices``."""
    views: tuple[View, ...] = ()
    """How another counter looks at a model; it takes the place of both. All views add up."""
    per_mac: int = 1
    """What it counts a multiply-accumulate as: 1 where it says MACs, 2 where it says FLOPs."""

    def prices_of(self, op: str) -> Prices:
        """The prices that hold for an op, wherever it runs."""
        for view in self.views:
            if op in view.charges:
                return view.charges[op]
        return self.op_prices.get(op, self.prices)


CONVENTIONS: dict[str, Convention] = {}

_UNLISTED: dict[str, Convention] = {}
"""Found by their names and not offered: how earlier versions of other counters count."""

DEFAULT_CONVENTION = "macs"


def register_convention(new: Convention, *, listed: bool = True) -> Convention:
    """Make a convention known by its name.

    Args:
        new: the convention.
        listed: whether it is offered beside the others; one that is not is still found by its name.

    Raises:
        DuplicateError: the name is taken.
    """
    if new.name in CONVENTIONS or new.name in _UNLISTED:
        raise DuplicateError(f"a convention named {new.name!r} exists already; choose another name")
    (CONVENTIONS if listed else _UNLISTED)[new.name] = new
    return new


def find_convention(name: str) -> Convention:
    """The convention of that name.

    Raises:
        UnknownConventionError: there is none.
    """
    if not isinstance(name, str):
        raise UnknownConventionError(
            f"a convention is named by a text, such as 'macs', and {name!r:.80} is none"
        )
    found = _find(name)
    if found is None:
        # Those of other counters are made known where they are asked for.
        load_extensions("resflops.counters", CONVENTIONS, _UNLISTED)
        found = _find(name)
    if found is None:
        raise UnknownConventionError(
            f"no convention named {name!r}{near(name, [*CONVENTIONS, *_UNLISTED])}; "
            f"there are: {', '.join(CONVENTIONS)} (resflops conventions explains them)"
        )
    return found


def _find(name: str) -> Convention | None:
    return CONVENTIONS.get(name) or _UNLISTED.get(name)


class Charge(Struct, frozen=True):
    """One price of a convention at work on one op."""

    quantity: Quantity
    amount: int
    again: str = ""
    """Why the work is charged although it has been; ``""`` where it has not."""


def charges_of(using: Convention, trace: Trace) -> Callable[[OpRecord, Work], Iterator[Charge]]:
    """A function that tells what a convention charges for one op of a trace, price by price."""
    if using.views:
        return _charges_by_views(using.views, trace)
    op_prices, default = using.op_prices, using.prices

    def charges(record: OpRecord, work: Work) -> Iterator[Charge]:
        for name, unit in op_prices.get(record.op, default).items():
            known = QUANTITIES[name]
            yield Charge(known, unit * known.measure(record, work, None))

    return charges


def _charges_by_views(views: tuple[View, ...], trace: Trace) -> Callable[[OpRecord, Work], Iterator[Charge]]:
    module_at = trace.module_at

    @cache
    def seen_in(layer: str) -> tuple[View, ...]:
        return tuple(view for view in views if _looks_into(view, layer, module_at))

    def charges(record: OpRecord, work: Work) -> Iterator[Charge]:
        # A counter of functions sees the einsum and not the product that it turns into.
        op = "einsum" if "einsum" in record.attributes else record.op
        for view in seen_in(record.layer):
            for name, unit in view.charges.get(op, _NO_PRICES).items():
                known = QUANTITIES[name]
                amount = unit * known.measure(record, work, module_at.get(record.layer))
                yield Charge(known, amount, view.again)

    return charges


_NO_PRICES: Prices = {}


def _looks_into(view: View, layer: str, module_at: dict[str, ModuleRecord]) -> bool:
    module = module_at.get(layer)
    if view.leaves and not (module and module.leaf):
        return False
    if view.modules:
        if module is None or module.base not in view.modules:
            return False
        if not view.subclasses and module.cls != module.base:
            return False
    return not (
        view.outside and any(_is_one_of(module_at.get(path), view.outside) for path in _around(layer))
    )


def _is_one_of(module: ModuleRecord | None, classes: tuple[str, ...]) -> bool:
    return module is not None and module.base in classes


def _around(layer: str) -> Iterator[str]:
    """A module's path and those of the modules that it lies in."""
    while layer:
        yield layer
        layer = layer.rpartition(".")[0]
    yield ""


def pricer(using: Convention, trace: Trace) -> Callable[[OpRecord, Work], int]:
    """A function that prices one op of a trace under a convention."""
    if using.views:
        charges = charges_of(using, trace)
        return lambda record, work: sum([charge.amount for charge in charges(record, work)])
    default = _measures(using.prices)
    op_prices = {op: _measures(prices) for op, prices in using.op_prices.items()}

    # A count prices every op of a model: this loop is as plain as can be.
    def price(record: OpRecord, work: Work) -> int:
        total = 0
        for measure, unit in op_prices.get(record.op, default):
            total += unit * measure(record, work, None)
        return total

    return price


def counts_macs_alone(using: Convention) -> bool:
    """Whether a convention is the usual one, whose prices need no looking up."""
    return using.prices == {"macs": 1} and not using.op_prices and not using.views


def _measures(prices: Prices) -> tuple[tuple[Measure, int], ...]:
    return tuple((QUANTITIES[name].measure, unit) for name, unit in prices.items())


MACS = register_convention(
    Convention(
        name="macs",
        counts="multiply-accumulates of convolutions, matrix products and attention; nothing else",
        source=(
            "He et al. 2015 (arXiv 1512.03385), who write 'FLOPs (multiply-adds)' for it; "
            "most papers' MACs, MAdds, Mult-Adds or FLOPs"
        ),
        prices={"macs": 1},
    )
)

WITH_BIAS_ALWAYS: Prices = {"macs": 1, "output_elements": 1}

FORMULA = register_convention(
    Convention(
        name="formula",
        counts=(
            "convolution H_out·W_out·D_out·(F_w·F_h·D_in/groups + 1), fully connected (N_in + 1)·N_out: "
            "the + 1 always, whether or not the layer has a bias; other matrix products their "
            "multiply-accumulates; nothing else"
        ),
        source=(
            "the textbook formula of course notes and blog posts: one multiply-add per kernel tap "
            "and one addition for the bias of each output"
        ),
        prices={"macs": 1},
        op_prices=dict.fromkeys(
            ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
             "linear", "addmm"),
            WITH_BIAS_ALWAYS,
        ),
    )
)  # fmt: skip

FLOPS = register_convention(
    Convention(
        name="flops",
        counts=(
            "2 per multiply-accumulate, 1 per bias add, and 1 per every other addition, multiplication, "
            "division, comparison and transcendental function, by the per-op table"
        ),
        source=(
            "floating-point operations as hardware vendors count them, a fused multiply-add being two "
            "(Williams et al. 2009, the roofline model); the per-op table is resflops' own"
        ),
        prices={"macs": 2, "bias_adds": 1, "arithmetic": 1, "comparisons": 1, "transcendental": 1},
    )
)
