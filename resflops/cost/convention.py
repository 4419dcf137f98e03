"""Conventions: price lists that turn an op's work into one number.

An op's work is a vector (``records.Work``); a convention says how much each kind counts.
It is data: integer prices of quantities (``quantities.py``), the same for every op or, where
needed, for single ops. The convention of another counter also says what that counter looks
at: a counter of modules charges for a ReLU module, but not for a ReLU called as a function.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Literal

from msgspec import Struct

from resflops.cost.quantities import QUANTITIES, Measure, Quantity
from resflops.errors import DuplicateError, UnknownConventionError, suggest
from resflops.extensions import load_extensions
from resflops.ops import OPS, is_complex
from resflops.records import ModuleRecord, OpRecord, Trace, Work

__all__ = [
    "CONVENTIONS",
    "DEFAULT_CONVENTION",
    "Charge",
    "Convention",
    "View",
    "counts_macs_alone",
    "find_convention",
    "make_charger",
    "make_chargers_by_sight",
    "make_pricer",
    "register_convention",
]

Prices = dict[str, int]
"""Name of a quantity to its price."""


class View(Struct, frozen=True, kw_only=True):
    """One of the ways in which a counter looks at a model, and what it charges for what it sees."""

    sees: str
    """What it looks at, in words."""
    charges: dict[str, Prices]
    """What each op is charged. An op that is not listed costs nothing, whether or not the counter sees it."""
    modules: tuple[str, ...] = ()
    """It sees only ops that run in a module of these classes of ``torch.nn``; ``()`` stands for all ops."""
    subclasses: bool = False
    """Whether a class derived from one of ``modules`` is seen, too."""
    leaves: bool = False
    """Whether it sees only ops that run in a module without submodules."""
    outside: tuple[str, ...] = ()
    """It sees no op that runs anywhere inside a module of these classes, or of one derived from them."""
    patches: Literal["", "usual", "rare"] = ""
    """Whether it sees only calls of functions that the counter has replaced, for the time of a forward pass.

    It misses an operator, a method, or a function that the model took hold of before, where it has not
    replaced that one. A trace does not tell these apart; ``crosschecking`` finds out. A call of which nothing
    is known is taken to be seen if these functions are the ``usual`` way to an op, and not if ``rare``."""
    in_each_place: int = 0
    """How often it counts the calls of a module that stands in n places of the model: n to the power of this.

    It is 1 where a sum over the model meets the module in each place, and 2 where it has as many hooks."""
    not_in_place: tuple[str, ...] = ()
    """Ops that it sees only where they make a tensor, and not where they write into one that is there."""
    again: str = ""
    """Why it charges for work that another view has charged already; ``""`` where it does not."""


class Convention(Struct, frozen=True, kw_only=True):
    """A named price list."""

    name: str
    counts: str
    """What it counts, in one sentence."""
    source: str
    """Who counts like this, and where they say so."""
    prices: Prices = {}
    """The price of one unit of each quantity; a quantity that is not listed costs nothing."""
    op_prices: dict[str, Prices] = {}
    """Prices of single ops, in place of ``prices``."""
    views: tuple[View, ...] = ()
    """How another counter looks at a model, in place of both kinds of prices. All views add up."""
    per_mac: int = 1
    """What one multiply-accumulate counts: 1 in a convention of MACs, 2 in one of FLOPs."""

    def __repr__(self) -> str:
        return f"Convention({self.name}: {self.counts})"

    # msgspec gives every struct one, which would show every field.
    __rich_repr__ = None  # type: ignore[assignment]

    def prices_of(self, op: str) -> Prices:
        """Return the prices that hold for an op, wherever it runs."""
        for view in self.views:
            if op in view.charges:
                return view.charges[op]
        return self.op_prices.get(op, self.prices)


CONVENTIONS: dict[str, Convention] = {}
"""The conventions that lists offer, by name."""

_UNLISTED: dict[str, Convention] = {}
"""How earlier versions of other counters count: conventions found by name, but not offered in lists."""

DEFAULT_CONVENTION = "macs"


def register_convention(new: Convention, *, listed: bool = True) -> Convention:
    """Register a convention under its name.

    Args:
        new: the convention.
        listed: whether lists of conventions offer it; one that is not listed is still found by its name.

    Raises:
        DuplicateError: the name is taken.
    """
    if new.name in CONVENTIONS or new.name in _UNLISTED:
        raise DuplicateError(f"a convention named {new.name!r} exists already; choose another name")
    (CONVENTIONS if listed else _UNLISTED)[new.name] = new
    return new


def find_convention(name: str) -> Convention:
    """Find a convention by its name, in upper or lower case.

    Raises:
        UnknownConventionError: no convention has that name.
    """
    if not isinstance(name, str):
        raise UnknownConventionError(
            f"the name of a convention must be a string, such as 'macs', got {name!r:.80}"
        )
    found = _find(name)
    if found is None:
        # The counters register their conventions when they are imported, which a count under one of ours
        # need not pay for.
        load_extensions("resflops.counters", CONVENTIONS, _UNLISTED)
        found = _find(name)
    if found is None:
        raise UnknownConventionError(
            f"no convention named {name!r}{suggest(name, [*CONVENTIONS, *_UNLISTED])}; "
            f"available: {', '.join(CONVENTIONS)} (resflops conventions explains them)"
        )
    return found


def _find(name: str) -> Convention | None:
    exact = CONVENTIONS.get(name) or _UNLISTED.get(name)
    if exact is not None:
        return exact
    lowered = name.lower()
    return next(
        (each for each in (*CONVENTIONS.values(), *_UNLISTED.values()) if each.name.lower() == lowered), None
    )


class Charge(Struct, frozen=True):
    """What one price of a convention amounts to for one op."""

    quantity: Quantity
    amount: int
    again: str = ""
    """Why the work is charged again after another view has charged it; ``""`` where it is not."""


def make_chargers_by_sight(
    convention: Convention, trace: Trace
) -> tuple[Callable[[OpRecord, Work], Iterator[Charge]], Callable[[OpRecord, Work], Iterator[Charge]]]:
    """Make two functions like ``make_charger``: for ops known to be seen by a patch, and known not to be."""
    seen = tuple(view for view in convention.views if not view.patches)
    return _make_charger_by_views(convention.views, trace), _make_charger_by_views(seen, trace)


def make_charger(convention: Convention, trace: Trace) -> Callable[[OpRecord, Work], Iterator[Charge]]:
    """Make a function that lists what a convention charges for one op of a trace, price by price."""
    if convention.views:
        return _make_charger_by_views(
            tuple(view for view in convention.views if view.patches != "rare"), trace
        )
    op_prices, default = convention.op_prices, convention.prices

    def charge(record: OpRecord, work: Work) -> Iterator[Charge]:
        for name, unit in op_prices.get(record.op, default).items():
            quantity = QUANTITIES[name]
            yield Charge(quantity, unit * quantity.measure(record, work, None))

    return charge


def _make_charger_by_views(
    views: tuple[View, ...], trace: Trace
) -> Callable[[OpRecord, Work], Iterator[Charge]]:
    module_at = trace.module_at
    in_place = _find_in_place({op for view in views for op in view.not_in_place}, trace)

    # Cached because many ops run in one layer, and to test a view walks up the module tree.
    @cache
    def find_views(layer: str) -> tuple[View, ...]:
        return tuple(view for view in views if _looks_into(view, layer, module_at))

    def charge(record: OpRecord, work: Work) -> Iterator[Charge]:
        # A counter of functions sees the einsum and not the product that it turns into.
        op = "einsum" if "einsum" in record.attributes else record.op
        if is_complex(record) and (count := OPS[record.op].work) is not None:
            # None of them distinguishes complex numbers from real ones.
            work = count(record)
        for view in find_views(record.layer):
            if op in view.not_in_place and id(record) in in_place:
                continue
            for name, unit in view.charges.get(op, _NO_PRICES).items():
                quantity = QUANTITIES[name]
                amount = unit * quantity.measure(record, work, module_at.get(record.layer))
                yield Charge(quantity, amount, view.again)

    return charge


_NO_PRICES: Prices = {}


def _find_in_place(ops: set[str], trace: Trace) -> dict[int, OpRecord]:
    """Find the calls of these ops that write into memory which is there, by the ids of their records."""
    found: dict[int, OpRecord] = {}
    made: set[int] = set()
    for record in trace.ops if ops else ():
        # Memory is numbered as it is made; a negative number is that of what the model was given.
        number = record.storages[0] if record.storages else None
        if number is not None and record.op in ops and (number < 0 or number in made):
            found[id(record)] = record
        made.update(record.storages)
    return found


def _looks_into(view: View, layer: str, module_at: dict[str, ModuleRecord]) -> bool:
    module = module_at.get(layer)
    if view.leaves and not (module and module.leaf):
        return False
    if view.modules:
        if module is None or module.base not in view.modules:
            return False
        # ``base`` is the nearest class of ``torch.nn``; a counter that looks up exact types sees no other.
        if not view.subclasses and module.cls != module.base:
            return False
    return not (
        view.outside and any(_is_one_of(module_at.get(path), view.outside) for path in _list_enclosing(layer))
    )


def _is_one_of(module: ModuleRecord | None, classes: tuple[str, ...]) -> bool:
    return module is not None and module.base in classes


def _list_enclosing(layer: str) -> Iterator[str]:
    """List a module's path and those of the modules that contain it, the model itself last."""
    while layer:
        yield layer
        layer = layer.rpartition(".")[0]
    yield ""


def make_pricer(convention: Convention, trace: Trace) -> Callable[[OpRecord, Work], int]:
    """Make a function that prices one op of a trace under a convention."""
    if convention.views:
        charge_op = make_charger(convention, trace)
        return lambda record, work: sum([charge.amount for charge in charge_op(record, work)])
    default = _look_up_measures(convention.prices)
    op_prices = {op: _look_up_measures(prices) for op, prices in convention.op_prices.items()}

    # A count prices every op of a model: this loop is as plain as can be.
    def price(record: OpRecord, work: Work) -> int:
        total = 0
        for measure, unit in op_prices.get(record.op, default):
            total += unit * measure(record, work, None)
        return total

    return price


def counts_macs_alone(convention: Convention) -> bool:
    """Whether a convention counts multiply-accumulates and nothing else: then no price needs looking up."""
    return convention.prices == {"macs": 1} and not convention.op_prices and not convention.views


def _look_up_measures(prices: Prices) -> tuple[tuple[Measure, int], ...]:
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

# Every output element is charged one bias addition, even where the layer has no bias: so the formula says.
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
            ("conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d",
             "conv_transpose3d", "linear", "addmm"),
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
