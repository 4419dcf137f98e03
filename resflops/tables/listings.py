"""Tables of the networks, conventions and ops that resflops knows, without any model."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from msgspec import to_builtins

from resflops.cost.convention import Convention, Prices
from resflops.cost.quantities import QUANTITIES
from resflops.counters import CONVENTIONS, load_more_peers
from resflops.errors import UsageError, suggest
from resflops.extensions import OWN
from resflops.models.catalog import CHOICES, NETWORKS, Network
from resflops.ops import OPS, Op, load_more_ops
from resflops.sources import SOURCES
from resflops.sources.registry import BUILTIN, load_more_sources
from resflops.tables.table import Column, Figure, Note, Table, note_broken_extensions, show_people_if

__all__ = [
    "build_convention_list",
    "build_convention_table",
    "build_model_table",
    "build_network_table",
    "build_op_table",
]

Text = TypeVar("Text", bound=Hashable)


def build_network_table(networks: Iterable[Network] = NETWORKS.values()) -> Table:
    """Build the table of ``resflops models``."""
    load_more_sources()
    return Table(
        title="Built-in networks",
        columns=(
            Column(key="family", heading="family", repeats=False, detail=3, folds=False),
            Column(key="model", heading="model"),
            Column(key="input", heading="input", kind="shape"),
            Column(key="summary", heading="what it is", wraps=True, detail=1),
            Column(key="options", heading="options", kind="names", wraps=True, detail=4, folds=False),
            Column(key="variant", heading="variant", audience="programs"),
        ),
        rows=tuple(
            {
                "model": network.name,
                "family": network.family,
                "input": network.input_shape,
                "summary": network.summary,
                "variant": network.variant,
                "options": tuple(
                    f"{name}={_format_choices(name, value)}" for name, value in network.options.items()
                ),
            }
            for network in networks
        ),
        notes=(
            Note(
                text="Options follow the name, as in resnet34,shortcut=A,num_classes=10; the defaults are "
                "shown, and for shortcut also the other choices.",
                audience="people",
            ),
            *(
                Note(text="Other source: {summary}.", figures={"summary": Figure("text", source.summary)})
                for source in SOURCES.values()
                if source.prefix != BUILTIN and source.origin == OWN
            ),
            *(
                Note(
                    text="Other source: {summary}, from {origin}.",
                    figures={
                        "summary": Figure("text", source.summary),
                        "origin": Figure("text", source.origin),
                    },
                )
                for source in SOURCES.values()
                if source.origin != OWN
            ),
            *note_broken_extensions("resflops.sources"),
        ),
    )


def build_model_table(specs: Sequence[str], pattern: str) -> Table:
    """Build the table of the models that a pattern stands for, of any source."""
    return Table(
        title=f"Models that match {pattern}",
        columns=(Column(key="model", heading="model"),),
        rows=tuple({"model": spec} for spec in specs),
        notes=(
            Note(
                text="{count} models; resflops table takes them by these names.",
                figures={"count": Figure("count", len(specs))},
                audience="people",
            ),
        )
        if len(specs) > 1
        else (),
    )


def _format_choices(name: str, value: object) -> str:
    others = [word for word in CHOICES.get(name, ()) if word != value]
    return "|".join([str(value), *others])


def build_convention_list() -> Table:
    """Build the table of ``resflops conventions``."""
    load_more_peers()
    return Table(
        title="Conventions",
        columns=(
            Column(key="name", heading="convention"),
            Column(key="counts", heading="counts", wraps=True, detail=1),
            Column(key="source", heading="source", wraps=True, detail=2, folds=False),
            Column(key="prices", kind="data", audience="programs"),
            Column(key="op_prices", kind="data", audience="programs"),
            Column(key="views", kind="data", audience="programs"),
        ),
        rows=tuple(
            {
                "name": convention.name,
                "counts": convention.counts,
                "source": convention.source,
                "prices": convention.prices,
                "op_prices": convention.op_prices,
                "views": to_builtins(convention.views),
            }
            for convention in CONVENTIONS.values()
        ),
        notes=(
            Note(text="resflops conventions NAME shows one with its prices, op by op.", audience="people"),
        ),
    )


def build_convention_table(convention: Convention) -> Table:
    """Build the table of ``resflops conventions NAME``: what each op with a rule counts under it."""
    if convention.views:
        return _build_peer_convention_table(convention)
    counted = {
        op: (rule.summary, _format_prices(convention.prices_of(op)))
        for op, rule in _list_rules()
        if _may_cost(convention, op)
    }
    price = Figure("names", _format_prices(convention.prices))
    varies = bool(convention.op_prices)
    return Table(
        title=f"Convention {convention.name}",
        convention=convention.name,
        intro=(
            *_note_convention(convention),
            *([] if varies else [Note(text="prices: {price}", figures={"price": price})]),
        ),
        facts={
            "name": convention.name,
            "counts": convention.counts,
            "source": convention.source,
            "prices": convention.prices,
            "op_prices": convention.op_prices,
        },
        columns=(
            Column(key="work", heading="work", wraps=True),
            Column(key="ops", heading="of the ops", kind="names", wraps=True),
            Column(
                key="price",
                heading="prices",
                kind="names",
                audience=show_people_if(varies),
                wraps=True,
            ),
        ),
        rows=tuple(
            {"ops": ops, "work": summary, "price": price} for (summary, price), ops in _group_ops(counted)
        ),
        notes=(
            Note(text="Ops that do no arithmetic are free under every convention; resflops ops lists them."),
        ),
    )


def _note_convention(convention: Convention) -> tuple[Note, ...]:
    """Note what a convention counts and where it comes from."""
    return (
        Note(text="counts: {counts}", figures={"counts": Figure("text", convention.counts)}),
        Note(text="source: {source}", figures={"source": Figure("text", convention.source)}),
    )


def _build_peer_convention_table(convention: Convention) -> Table:
    """Build the same for another counter's convention: what it looks at, and what it charges there."""
    return Table(
        title=f"Convention {convention.name}",
        convention=convention.name,
        intro=_note_convention(convention),
        facts={
            "name": convention.name,
            "counts": convention.counts,
            "source": convention.source,
            "counts_mac_as": convention.per_mac,
        },
        columns=(
            Column(key="sees", heading="looks at", repeats=False, wraps=True, detail=1),
            Column(key="ops", heading="of the ops", kind="names", wraps=True),
            Column(key="price", heading="charges", kind="names", wraps=True),
            Column(key="modules", kind="names", audience="programs"),
        ),
        rows=tuple(
            {"sees": view.sees, "ops": ops, "price": price, "modules": view.modules}
            for view in convention.views
            for price, ops in _group_ops({op: _format_prices(prices) for op, prices in view.charges.items()})
        ),
        notes=(
            *(
                Note(text="{sees}: {again}.", figures=_build_figures(view.sees, view.again))
                for view in convention.views
                if view.again
            ),
            Note(text="Ops that are not listed cost nothing there or are not seen; see resflops peers."),
        ),
    )


def _build_figures(sees: str, again: str) -> dict[str, Figure]:
    return {"sees": Figure("text", sees), "again": Figure("text", again)}


def _list_rules() -> list[tuple[str, Op]]:
    """List the ops with a rule, those with multiply-accumulates first."""
    ruled = [(name, known) for name, known in OPS.items() if known.work is not None]
    # sorted() is stable: within each half the order of the declarations stays.
    return sorted(ruled, key=lambda item: item[1].factors is None)


def _may_cost(convention: Convention, op: str) -> bool:
    """Tell whether an op can cost anything: under a price of MACs alone, only an op that has some."""
    quantities = {quantity for quantity, unit in convention.prices_of(op).items() if unit}
    return bool(quantities - {"macs"}) or (bool(quantities) and OPS[op].factors is not None)


def _format_prices(prices: Prices) -> tuple[str, ...]:
    return tuple(f"{unit} per {QUANTITIES[quantity].unit}" for quantity, unit in prices.items())


def build_op_table(patterns: Sequence[str] = ()) -> Table:
    """Build the table of ``resflops ops``: those with a rule, and those that are free.

    Args:
        patterns: list only ops whose names contain or match one of these.

    Raises:
        UsageError: no op does.
    """
    load_more_ops()
    names = _select_ops(patterns)
    free = {name: OPS[name].free for name in names if OPS[name].free}
    texts = {
        op: (rule.summary, _describe_gradient(op), rule.origin) for op, rule in _list_rules() if op in names
    }
    of_others = show_people_if(any(known.origin != OWN for known in OPS.values()))
    return Table(
        title="Ops with a rule",
        columns=(
            Column(key="work", heading="work", wraps=True, repeats=False),
            Column(
                key="gradient", heading="gradient, in the backward pass", wraps=True, detail=1, folds=False
            ),
            Column(key="ops", heading="of the ops", kind="names", wraps=True),
            Column(key="origin", heading="from", audience=of_others, detail=2),
        ),
        rows=tuple(
            {"ops": ops, "work": work, "gradient": back, "origin": origin}
            for (work, back, origin), ops in _group_ops(texts)
        ),
        notes=(
            Note(
                text="Any other op that does work is reported as uncounted, and totals that lack it are "
                "marked with ≥.",
                audience="people",
            ),
            *note_broken_extensions("resflops.ops"),
        ),
        below=(_build_free_table(free),) if free or not patterns else (),
    )


def _build_free_table(free: Mapping[str, str]) -> Table:
    return Table(
        name="free",
        title="Ops that are free, under every convention",
        columns=(
            Column(key="reason", heading="reason", wraps=True),
            Column(key="ops", heading="op", kind="names", wraps=True),
        ),
        rows=_build_group_rows(free, "reason"),
    )


def _select_ops(patterns: Sequence[str]) -> dict[str, None]:
    """Select ops by their names, in the order of their declarations.

    Raises:
        UsageError: a pattern matches none.
    """
    if not patterns:
        return dict.fromkeys(OPS)
    found: set[str] = set()
    for pattern in patterns:
        matching = {op for op in OPS if pattern.lower() in op.lower() or fnmatchcase(op, pattern)}
        if not matching:
            raise UsageError(
                f"no op is called {pattern!r}{suggest(pattern, OPS)}; resflops ops lists all of them"
            )
        found |= matching
    return dict.fromkeys(op for op in OPS if op in found)


def _describe_gradient(op: str) -> str:
    """Describe in one line what an op's gradient takes."""
    gradient = OPS[op].gradient
    if gradient is None:
        return "No rule: listed as uncounted."
    if gradient.stops:
        return f"None: {gradient.stops}."
    return "Nothing: the gradient is only moved." if gradient.work is None else gradient.summary


def _build_group_rows(texts: Mapping[str, str], key: str) -> tuple[dict[str, object], ...]:
    return tuple({"ops": ops, key: text} for text, ops in _group_ops(texts))


def _group_ops(of_op: Mapping[str, Text]) -> list[tuple[Text, tuple[str, ...]]]:
    """Group ops with the same text."""
    groups: dict[Text, list[str]] = {}
    for op, value in of_op.items():
        groups.setdefault(value, []).append(op)
    return [(value, tuple(ops)) for value, ops in groups.items()]
