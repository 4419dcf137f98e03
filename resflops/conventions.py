"""Conventions: price lists that turn an op's work into one number.

An op's work is a vector (``records.Work``); a convention says how much each kind counts.
It is data: quantities and integer prices, for every op alike and, where needed, for
single ops. Besides the kinds of work, a price may stand on two sizes of the op itself,
``output_elements`` and ``input_elements`` (of the first input).
"""

from collections.abc import Callable
from math import prod

from msgspec import Struct

from resflops.errors import DuplicateError, UnknownConventionError, near
from resflops.records import OpRecord, Work

__all__ = ["CONVENTIONS", "DEFAULT_CONVENTION", "Convention", "convention", "pricer", "register_convention"]

Prices = dict[str, int]
"""Quantity (a field of Work, ``output_elements`` or ``input_elements``) to its price."""


class Convention(Struct, frozen=True, kw_only=True):
    """A named price list."""

    name: str
    counts: str
    """What it counts, in one sentence."""
    source: str
    """Who counts like this, and where that is written."""
    prices: Prices
    """What a unit of each quantity counts; what is not listed counts nothing."""
    op_prices: dict[str, Prices] = {}
    """Prices of single ops, in place of ``prices``."""

    def prices_of(self, op: str) -> Prices:
        """The prices that hold for an op."""
        return self.op_prices.get(op, self.prices)


CONVENTIONS: dict[str, Convention] = {}

DEFAULT_CONVENTION = "macs"


def register_convention(new: Convention) -> Convention:
    """Make a convention known by its name.

    Raises:
        DuplicateError: the name is taken.
    """
    if new.name in CONVENTIONS:
        raise DuplicateError(f"a convention named {new.name!r} exists already; choose another name")
    CONVENTIONS[new.name] = new
    return new


def convention(name: str) -> Convention:
    """The convention of that name.

    Raises:
        UnknownConventionError: there is none.
    """
    try:
        return CONVENTIONS[name]
    except KeyError:
        raise UnknownConventionError(
            f"no convention named {name!r}{near(name, CONVENTIONS)}; "
            f"there are: {', '.join(CONVENTIONS)} (resflops conventions explains them)"
        ) from None


def pricer(using: Convention) -> Callable[[OpRecord, Work], int]:
    """A function that prices one op's work under a convention."""

    def price(record: OpRecord, work: Work) -> int:
        total = 0
        for quantity, unit in op_prices.get(record.op, default):
            if quantity == "output_elements":
                total += unit * prod(record.output_shape)
            elif quantity == "input_elements":
                total += unit * prod(record.input_shapes[0])
            else:
                total += unit * int(getattr(work, quantity))
        return total

    default = tuple(using.prices.items())
    op_prices = {op: tuple(prices.items()) for op, prices in using.op_prices.items()}
    return _macs if default == (("macs", 1),) and not op_prices else price


def _macs(record: OpRecord, work: Work) -> int:
    """The usual price, without looking anything up."""
    del record
    return work.macs


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
