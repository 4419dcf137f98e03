"""Explain the difference between a peer's figure and ours by named causes.

Every op is priced by the peer's convention, and what that differs from the op's multiply-accumulates
goes to a cause. Whatever part of the peer's own figure is left over is unexplained: zero, if the
convention is right and the peer does what it says.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from resflops.cost import price
from resflops.cost.convention import MACS, Charge, Convention, make_charger, make_chargers_by_sight
from resflops.counters import CountsParameters, Peer
from resflops.errors import pluralize
from resflops.ops import OPS
from resflops.records import ModuleRecord, OpRecord, Shape, Trace, Work
from resflops.storage import Stored

__all__ = [
    "Cause",
    "CrossCheck",
    "ParameterCause",
    "Place",
    "Reconciliation",
    "find_parameter_causes",
    "fold_paths",
    "reconcile",
]


class Place(Struct, frozen=True, kw_only=True):
    """What one layer contributes to a cause, summed over all its calls."""

    layer: str
    op: str
    calls: int
    amount: int


class Cause(Struct, frozen=True, kw_only=True):
    """One reason why two figures differ."""

    name: str
    amount: int
    """How much more the peer counts for this reason, in its own unit; negative where it counts less."""
    ops: int
    """The number of op calls that it concerns."""
    layers: int
    """The number of layers that it concerns."""
    where: tuple[str, ...]
    """The paths of these layers, with their numbers folded into ``*``."""
    places: tuple[Place, ...] = ()
    """The share of each layer; ``()`` where only the sums were kept."""


class ParameterCause(Struct, frozen=True, kw_only=True):
    """One reason why two numbers of parameters differ."""

    name: str
    amount: int
    modules: tuple[str, ...]
    """The modules that hold these parameters, with their numbers folded into ``*``."""


class Reconciliation(Struct, frozen=True, kw_only=True):
    """One figure of one peer on one model, with its causes, or the reason why there is no figure."""

    model: str
    inputs: tuple[Shape, ...]
    peer: str
    convention: str
    version: str = ""
    verified: bool = False
    """Whether the convention has been verified with this version."""
    per_mac: int = 1
    macs: int = 0
    """Our multiply-accumulates."""
    figure: int | None = None
    """The figure that the peer gave; None if it gave none."""
    causes: tuple[Cause, ...] = ()
    unexplained: int = 0
    """The peer's figure less our multiply-accumulates and all causes."""
    params: int = 0
    """Our number of parameters."""
    peer_params: int | None = None
    """The peer's number of parameters; None if it counts none."""
    parameter_causes: tuple[ParameterCause, ...] = ()
    unexplained_params: int = 0
    sights: dict[int, bool] = {}
    """For places in the trace, whether the call went through a function that the peer had patched."""
    failure: str = ""
    """Why there is no figure; ``""`` if there is one."""
    uncounted: tuple[str, ...] = ()
    """Ops that did work and have no rule in resflops, so that our own figure lacks them."""

    @property
    def difference(self) -> int | None:
        """The peer's figure less our multiply-accumulates, counted as often as the peer counts one."""
        return None if self.figure is None else self.figure - self.per_mac * self.macs

    def __repr__(self) -> str:
        found = "no figure" if self.figure is None else f"{self.figure:,}, {self.unexplained:,} unexplained"
        return f"Reconciliation({self.peer} on {self.model}: {found})"

    # msgspec gives every struct one, which would show every field.
    __rich_repr__ = None  # type: ignore[assignment]

    def without_places(self) -> "Reconciliation":
        """Return a copy whose causes keep only their sums, for a file of many models."""
        return replace(self, causes=tuple(replace(cause, places=()) for cause in self.causes))

    @property
    def explained(self) -> bool:
        """Whether the peer gave a figure, and the causes explain all of it."""
        return self.figure is not None and not self.unexplained and not self.unexplained_params


class CrossCheck(Stored, frozen=True, kw_only=True, tag="crosscheck"):
    """The figures of several peers on one or more models."""

    rows: tuple[Reconciliation, ...]
    environment: dict[str, str] = field(default_factory=dict)
    """Versions of Python and torch, and the kind of machine."""

    def __repr__(self) -> str:
        models = list(dict.fromkeys(row.model for row in self.rows))
        of = models[0] if len(models) == 1 else f"{len(models)} models"
        failed = sum(row.figure is None for row in self.rows)
        open_ones = sum(row.figure is not None and not row.explained for row in self.rows)
        left = ", ".join(
            f"{count} {what}"
            for count, what in ((open_ones, "with a remainder"), (failed, "failed"))
            if count
        )
        figures = f"{len(self.rows)} {pluralize('figure', len(self.rows))} of other counters"
        return f"CrossCheck({of}: {figures}, {left or 'all explained'})"


def reconcile(
    trace: Trace,
    peer: Peer,
    convention: Convention,
    *,
    version: str,
    figure: int,
    peer_params: int | None,
    non_op_charges: Mapping[str, int] | None = None,
    sights: Mapping[int, bool] | None = None,
    by_layer: Mapping[str, int] | None = None,
    occurrences: Mapping[str, int] | None = None,
    parameter_causes: tuple[ParameterCause, ...] = (),
) -> Reconciliation:
    """Split the difference between a peer's figure and ours into causes.

    Args:
        trace: the trace of the model in eval mode.
        peer: the counter that gave the figure.
        convention: the convention that the figure is under.
        version: the installed version of the peer.
        figure: the figure that the peer gave, in its own unit.
        peer_params: the number of parameters that the peer gave; None if it gave none.
        non_op_charges: what the peer charged for things that are no op of the model, by cause.
        sights: for places in the trace, whether the call goes through a function that the peer patches; an
            op that is not among them is taken to go the usual way.
        by_layer: what the peer charged for layers that it charges as a whole, whichever ops run in them.
        occurrences: in how many places of the model a module stands, by its path; 1 where it is not given.
        parameter_causes: why the peer counts another number of parameters, where a trace does not tell.
    """
    cost = price(trace, MACS)
    causes = (
        *_find_causes(trace, convention, cost.works, sights or {}),
        # ops=0 marks these: tests/benchmarks/crosscheck_matrix.py takes them over from stored rows,
        # because they cannot be computed from the trace again.
        *(
            Cause(name=name, amount=amount, ops=0, layers=0, where=())
            for name, amount in (non_op_charges or {}).items()
            if amount
        ),
        *_find_layer_cause(trace, convention, cost.works, by_layer or {}),
        *_find_repeated_cause(trace, convention, cost.works, sights or {}, occurrences or {}),
    )
    params = (*find_parameter_causes(trace, peer, occurrences or {}), *parameter_causes)
    # Summed from the causes and not from the charges: a charge that no cause took up must stay visible.
    explained = convention.per_mac * cost.macs + sum(cause.amount for cause in causes)
    return Reconciliation(
        model=trace.model,
        inputs=tuple(given.shape for given in trace.inputs),
        peer=peer.name,
        convention=convention.name,
        version=version,
        verified=peer.is_verified_with(version),
        per_mac=convention.per_mac,
        macs=cost.macs,
        figure=figure,
        causes=causes,
        unexplained=figure - explained,
        sights=dict(sights or {}),
        params=trace.params,
        peer_params=peer_params,
        parameter_causes=params if peer_params is not None else (),
        unexplained_params=(
            0 if peer_params is None else peer_params - trace.params - sum(cause.amount for cause in params)
        ),
        uncounted=tuple(uncounted.op for uncounted in cost.uncounted),
    )


def _find_causes(
    trace: Trace, convention: Convention, works: tuple[Work | None, ...], sights: Mapping[int, bool]
) -> tuple[Cause, ...]:
    chargers = _make_chargers(trace, convention)
    attention = find_attention(trace)
    amounts: dict[str, dict[tuple[str, str], list[int]]] = {}
    for place, (record, counted_work) in enumerate(zip(trace.ops, works, strict=True)):
        # An op that has no rule here may still be charged by the peer, and then all of that is a difference.
        work = counted_work or Work()
        family = _name_cause(record, trace.module_at.get(record.layer), attention)
        charges = tuple(chargers[sights.get(place)](record, work))
        for name, amount in _split_difference(work, charges, family, convention.per_mac):
            amounts.setdefault(name, {}).setdefault((record.layer, record.op), []).append(amount)
    causes = [_build_cause(name, places) for name, places in amounts.items()]
    return tuple(sorted(causes, key=lambda cause: -abs(cause.amount)))


def _make_chargers(
    trace: Trace, convention: Convention
) -> dict[bool | None, Callable[[OpRecord, Work], Iterator[Charge]]]:
    """Make the charger for each answer to whether a patch sees an op; None where nothing is known."""
    charge_seen, charge_missed = make_chargers_by_sight(convention, trace)
    return {True: charge_seen, False: charge_missed, None: make_charger(convention, trace)}


def _find_repeated_cause(
    trace: Trace,
    convention: Convention,
    works: tuple[Work | None, ...],
    sights: Mapping[int, bool],
    occurrences: Mapping[str, int],
) -> Iterator[Cause]:
    """Find what a peer counts again of modules that stand in several places of the model."""
    views = tuple(view for view in convention.views if view.in_each_place)
    power = max((view.in_each_place for view in views), default=0)
    if not occurrences or not power:
        return
    chargers = _make_chargers(trace, replace(convention, views=views))
    where: dict[str, int] = {}
    for place, (record, work) in enumerate(zip(trace.ops, works, strict=True)):
        times = occurrences.get(record.layer, 1) ** power - 1
        if times:
            charged = sum(each.amount for each in chargers[sights.get(place)](record, work or Work()))
            where[record.layer] = where.get(record.layer, 0) + times * charged
    if any(where.values()):
        yield _build_layer_cause("modules that stand in several places, counted in each", where)


def _find_layer_cause(
    trace: Trace, convention: Convention, works: tuple[Work | None, ...], by_layer: Mapping[str, int]
) -> Iterator[Cause]:
    """Find what layers that a peer charges as a whole are charged more than their ops."""
    charge = make_charger(convention, trace)
    more = dict(by_layer)
    for record, work in zip(trace.ops, works, strict=True):
        if record.layer in more:
            more[record.layer] -= sum(each.amount for each in charge(record, work or Work()))
    where = {layer: amount for layer, amount in more.items() if amount}
    if where:
        yield _build_layer_cause("layers of other classes than torch's, by their parameters", where)


def _build_layer_cause(name: str, amounts: Mapping[str, int]) -> Cause:
    """Build a cause of amounts that belong to layers as a whole, and to none of their ops."""
    return Cause(
        name=name,
        amount=sum(amounts.values()),
        ops=0,
        layers=len(amounts),
        where=fold_paths(amounts),
    )


def _build_cause(name: str, places: dict[tuple[str, str], list[int]]) -> Cause:
    return Cause(
        name=name,
        amount=sum(sum(amounts) for amounts in places.values()),
        ops=sum(len(amounts) for amounts in places.values()),
        layers=len({layer for layer, _ in places}),
        where=fold_paths(layer for layer, _ in places),
        places=tuple(
            Place(layer=layer, op=op, calls=len(amounts), amount=sum(amounts))
            for (layer, op), amounts in places.items()
        ),
    )


def _split_difference(
    work: Work, charges: tuple[Charge, ...], family: str, per_mac: int
) -> Iterator[tuple[str, int]]:
    """Yield why the peer counts something else for one op than we do: causes with their amounts."""
    # A second charge for the same work would otherwise hide in the difference of the first one.
    again = sum(charge.amount for charge in charges if charge.again)
    charged = {"macs": 0, "bias": 0, "other": 0}
    for charge in charges:
        if not charge.again:
            charged[charge.quantity.stands_for] += charge.amount
    products = charged["macs"] - per_mac * work.macs
    if not work.macs:
        # A layer that multiplies no matrices: whatever is charged, it is charged for what the layer does.
        yield from _skip_zero(family, products + charged["bias"] + charged["other"])
    else:
        yield from _skip_zero(_name_product_cause(family, charged["macs"], per_mac * work.macs), products)
        yield from _skip_zero("bias", charged["bias"])
        other_work = (
            "softmax and scaling in attention" if family == "attention" else f"other work of {family}"
        )
        yield from _skip_zero(other_work, charged["other"])
    yield from _skip_zero(f"{family} counted a second time", again)


def _skip_zero(name: str, amount: int) -> Iterator[tuple[str, int]]:
    if amount:
        yield name, amount


def _name_product_cause(family: str, theirs: int, ours: int) -> str:
    if not theirs:
        return f"{family} not seen"
    # A peer that charges a weight once per sample, as torchinfo does, ignores the length of a sequence.
    if theirs < ours:
        return f"{family} on a sequence, of which one position is counted"
    return f"{family} counted by the output"


FAMILIES = {
    "convolution": "convolutions",
    "normalization": "normalisation",
    "pooling": "pooling",
    "softmax": "softmax",
    "interpolation": "interpolation",
    "embedding": "embedding",
    "recurrent": "recurrent layers",
    "activation": "activation",
    "arithmetic": "arithmetic on single elements",
    "elementwise": "arithmetic on single elements",
}
"""The name of a cause by the family of the op; an op of any other family gives the cause its own name.

These names are stored in files and printed in the reports: a changed one splits a cause in two there."""


def _name_cause(record: OpRecord, module: ModuleRecord | None, attention: frozenset[str]) -> str:
    """Name the kind of work that an op does, as the causes are named after it."""
    declaration = OPS.get(record.op)
    family = declaration.family if declaration else ""
    in_attention = record.layer in attention
    if family == "attention" or (family == "matmul" and record.op != "linear" and in_attention):
        return "attention"
    if record.op == "linear":
        if in_attention:
            return "projections called as functions in attention"
        # Peers that hook modules miss F.linear in a forward of the user's own, but not nn.Linear.
        is_function = module is None or "Linear" not in f"{module.cls} {module.base}"
        return "linear layers called as functions" if is_function else "linear layers"
    if family == "matmul":
        return "matrix products"
    return FAMILIES.get(declaration.cause or family, record.op) if declaration else record.op


def find_attention(trace: Trace) -> frozenset[str]:
    """Find the layers that attend: by an op of their own, or by a softmax between two matrix products.

    Attention that a user writes has no base class in torch.nn to go by, and may be called anything.
    """
    found: set[str] = set()
    reached: dict[str, int] = {}
    for record in trace.ops:
        layer, declaration = record.layer, OPS.get(record.op)
        family = declaration.family if declaration else ""
        if family == "attention":
            found.add(layer)
        elif family == "matmul" and record.op != "linear":
            if reached.get(layer) == _NORMALIZED:
                found.add(layer)
            reached[layer] = _SCORED
        elif family == "softmax" and layer in reached:
            reached[layer] = _NORMALIZED
    return frozenset(found)


# How far a layer's ops have come on the way to an attention: scores are there, and they are normalised.
_SCORED, _NORMALIZED = 1, 2


def find_parameter_causes(
    trace: Trace, peer: Peer, occurrences: Mapping[str, int] | None = None
) -> tuple[ParameterCause, ...]:
    """List why a peer counts another number of parameters than we do; neither counts buffers.

    Args:
        trace: the trace of the model.
        peer: the counter.
        occurrences: in how many places of the model a module stands, by its path; 1 where it is not given.
    """
    counts = peer.counts_parameters
    if counts is None or counts.which == "initialisers":
        return ()
    called = {record.layer for record in trace.ops}
    again = _list_repeated_parameters(trace, counts, called, occurrences or {})
    attention = find_attention(trace)
    places_by_cause: dict[str, list[tuple[str, int]]] = {
        "parameters of modules that stand in several places": again
    }
    met: set[str] = set()
    for module in trace.modules:
        is_counted = counts.which != "modules" or _is_looked_at(module, counts, called)
        for tensor in module.parameters:
            if not is_counted:
                # A tied tensor is in our own number once, at the first module that holds it.
                if not tensor.tied_to:
                    name = _name_missed(module, attention, called=module.path in called)
                    places_by_cause.setdefault(name, []).append((module.path, -tensor.elements))
            elif tensor.tied_to:
                # A peer of all parameters meets them as modules are called: what a module that is never
                # called shares with one that is, it meets there alone.
                uncalled = tensor.tied_to.rpartition(".")[0] not in called and counts.which == "all"
                if uncalled and tensor.tied_to not in met:
                    met.add(tensor.tied_to)
                elif counts.tied_each_time:
                    places_by_cause.setdefault("tied parameters, counted each time", []).append(
                        (module.path, tensor.elements)
                    )
            elif counts.which == "trainable" and not tensor.trainable:
                places_by_cause.setdefault("frozen parameters left out", []).append(
                    (module.path, -tensor.elements)
                )
    return tuple(
        ParameterCause(
            name=name,
            amount=sum(amount for _, amount in places),
            modules=fold_paths(path for path, _ in places),
        )
        for name, places in places_by_cause.items()
        if places
    )


def _list_repeated_parameters(
    trace: Trace, counts: CountsParameters, called: set[str], occurrences: Mapping[str, int]
) -> list[tuple[str, int]]:
    """List what a peer that goes by modules counts again, by the paths of modules in several places."""
    return [
        (module.path, (occurrences[module.path] - 1) * tensor.elements)
        for module in trace.modules
        if counts.which == "modules" and module.path in occurrences and _is_looked_at(module, counts, called)
        for tensor in module.parameters
    ]


def _is_looked_at(module: ModuleRecord, counts: CountsParameters, called: set[str]) -> bool:
    """Whether a peer that goes by modules counts one: it asks for children, so not for the model itself."""
    return (
        bool(module.path)
        and module.base in counts.modules
        and module.cls == module.base
        and module.path in called
    )


def _name_missed(module: ModuleRecord, attention: frozenset[str], *, called: bool) -> str:
    # MultiheadAttention keeps the weights of its output projection in a child of its own.
    if not attention.isdisjoint((module.path, module.path.rpartition(".")[0])):
        return "attention weights missed"
    if not called and module.leaf:
        return "parameters of modules that are never called"
    return "parameters held by modules that it has no rule for"


def fold_paths(paths: Iterable[str]) -> tuple[str, ...]:
    """Fold paths that differ only in numbers into one with ``*``, in the order of the first of each.

    >>> fold_paths(["layer1.0.bn1", "layer1.1.bn1", "layer2.0.bn1", "fc"])
    ('layer*.*.bn1', 'fc')
    """
    by_pattern: dict[str, list[str]] = {}
    for path in dict.fromkeys(paths):
        by_pattern.setdefault(re.sub(r"\d+", "*", path), []).append(path)
    return tuple(_merge_paths(similar) for similar in by_pattern.values())


def _merge_paths(paths: list[str]) -> str:
    """Merge paths that differ only in numbers: a number that is the same in all of them stays."""
    split = [re.split(r"(\d+)", path) for path in paths]
    return "".join(
        parts[0] if Counter(parts)[parts[0]] == len(parts) else "*" for parts in zip(*split, strict=True)
    )
