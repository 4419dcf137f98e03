"""Explain the difference between a peer's figure and ours by named causes.

Every op is priced by the peer's convention, and what that differs from the op's multiply-accumulates
goes to a cause. Whatever part of the peer's own figure is left over is unexplained: zero, if the
convention is right and the peer does what it says.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from resflops.cost import price
from resflops.cost.convention import MACS, Charge, Convention, make_charger
from resflops.counters import Peer
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
    failure: str = ""
    """Why there is no figure; ``""`` if there is one."""
    uncounted: tuple[str, ...] = ()
    """Ops that did work and have no rule in resflops, so that our own figure lacks them."""

    @property
    def difference(self) -> int | None:
        """The peer's figure less our multiply-accumulates, counted as often as the peer counts one."""
        return None if self.figure is None else self.figure - self.per_mac * self.macs

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


def reconcile(
    trace: Trace,
    peer: Peer,
    convention: Convention,
    *,
    version: str,
    figure: int,
    peer_params: int | None,
    non_op_charges: Mapping[str, int] | None = None,
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
    """
    cost = price(trace, MACS)
    causes = (
        *_find_causes(trace, convention, cost.works),
        *(
            Cause(name=name, amount=amount, ops=0, layers=0, where=())
            for name, amount in (non_op_charges or {}).items()
            if amount
        ),
    )
    params = find_parameter_causes(trace, peer)
    priced = convention.per_mac * cost.macs + sum(cause.amount for cause in causes)
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
        unexplained=figure - priced,
        params=trace.params,
        peer_params=peer_params,
        parameter_causes=params if peer_params is not None else (),
        unexplained_params=(
            0 if peer_params is None else peer_params - trace.params - sum(cause.amount for cause in params)
        ),
        uncounted=tuple(lacking.op for lacking in cost.uncounted),
    )


def _find_causes(trace: Trace, convention: Convention, works: tuple[Work | None, ...]) -> tuple[Cause, ...]:
    charges = make_charger(convention, trace)
    amounts: dict[str, dict[tuple[str, str], list[int]]] = {}
    for record, known in zip(trace.ops, works, strict=True):
        work = known or Work()
        family = _name_cause(record, trace.module_at.get(record.layer))
        for name, amount in _split_difference(work, tuple(charges(record, work)), family, convention.per_mac):
            amounts.setdefault(name, {}).setdefault((record.layer, record.op), []).append(amount)
    causes = [_build_cause(name, places) for name, places in amounts.items()]
    return tuple(sorted(causes, key=lambda cause: -abs(cause.amount)))


def _build_cause(name: str, places: dict[tuple[str, str], list[int]]) -> Cause:
    return Cause(
        name=name,
        amount=sum(sum(each) for each in places.values()),
        ops=sum(len(each) for each in places.values()),
        layers=len({layer for layer, _ in places}),
        where=fold_paths(layer for layer, _ in places),
        places=tuple(
            Place(layer=layer, op=op, calls=len(each), amount=sum(each))
            for (layer, op), each in places.items()
        ),
    )


def _split_difference(
    work: Work, charges: tuple[Charge, ...], family: str, per_mac: int
) -> Iterator[tuple[str, int]]:
    """The reasons for which one op counts something else there than here, with how much each makes."""
    again = sum(charge.amount for charge in charges if charge.again)
    charged = {"macs": 0, "bias": 0, "other": 0}
    for charge in charges:
        if not charge.again:
            charged[charge.quantity.stands_for] += charge.amount
    products = charged["macs"] - per_mac * work.macs
    if not work.macs:
        # A layer that multiplies no matrices: whatever is charged there is charged for what it does.
        yield from _skip_zero(family, products + charged["bias"] + charged["other"])
    else:
        yield from _skip_zero(_name_product_cause(family, charged["macs"], per_mac * work.macs), products)
        yield from _skip_zero("bias", charged["bias"])
        beside = "softmax and scaling in attention" if family == "attention" else f"other work of {family}"
        yield from _skip_zero(beside, charged["other"])
    yield from _skip_zero(f"{family} counted a second time", again)


def _skip_zero(name: str, amount: int) -> Iterator[tuple[str, int]]:
    if amount:
        yield name, amount


def _name_product_cause(family: str, theirs: int, ours: int) -> str:
    if not theirs:
        return f"{family} not seen"
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
"""What a cause is called by the family of its op; the ops of any other are called by their own names."""


def _name_cause(record: OpRecord, module: ModuleRecord | None) -> str:
    """The kind of work that an op is, as a cause is named after it."""
    known = OPS.get(record.op)
    family = known.family if known else ""
    in_attention = _is_attention(module)
    if family == "attention" or (family == "matmul" and record.op != "linear" and in_attention):
        return "attention"
    if record.op == "linear":
        if in_attention:
            return "projections called as functions in attention"
        called = module is None or "Linear" not in f"{module.cls} {module.base}"
        return "linear layers called as functions" if called else "linear layers"
    if family == "matmul":
        return "matrix products"
    return FAMILIES.get(known.cause or family, record.op) if known else record.op


def _is_attention(module: ModuleRecord | None) -> bool:
    # By its name: attention that is written by hand has no base in torch.nn.
    return module is not None and "attention" in f"{module.cls} {module.base}".lower()


def find_parameter_causes(trace: Trace, peer: Peer) -> tuple[ParameterCause, ...]:
    """The reasons for which a peer counts another number of parameters; buffers neither counts."""
    counts = peer.counts_parameters
    if counts is None:
        return ()
    called = {record.layer for record in trace.ops}
    found: dict[str, list[tuple[str, int]]] = {}
    for module in trace.modules:
        # What goes by modules asks the model for its children: it never asks the model itself.
        seen = counts.which != "modules" or (
            bool(module.path)
            and module.base in counts.modules
            and module.cls == module.base
            and module.path in called
        )
        for tensor in module.parameters:
            if not seen:
                if not tensor.tied_to:
                    name = _name_missed(module, trace, called=module.path in called)
                    found.setdefault(name, []).append((module.path, -tensor.elements))
            elif tensor.tied_to:
                if counts.tied_each_time:
                    found.setdefault("tied parameters, counted each time", []).append(
                        (module.path, tensor.elements)
                    )
            elif counts.which == "trainable" and not tensor.trainable:
                found.setdefault("frozen parameters left out", []).append((module.path, -tensor.elements))
    return tuple(
        ParameterCause(
            name=name,
            amount=sum(amount for _, amount in places),
            modules=fold_paths(path for path, _ in places),
        )
        for name, places in found.items()
    )


def _name_missed(module: ModuleRecord, trace: Trace, *, called: bool) -> str:
    parent = trace.module_at.get(module.path.rpartition(".")[0])
    if any(_is_attention(each) for each in (module, parent)):
        return "attention weights missed"
    if not called and module.leaf:
        return "parameters of modules that are never called"
    return "parameters held by modules that it has no rule for"


def fold_paths(paths: Iterable[str]) -> tuple[str, ...]:
    """Paths with their numbers folded into ``*``, each once, in the order of their first.

    >>> fold_paths(["layer1.0.bn1", "layer1.1.bn1", "layer2.0.bn1", "fc"])
    ('layer*.*.bn1', 'fc')
    """
    kept = dict.fromkeys(paths)
    by_shape: dict[str, list[str]] = {}
    for path in kept:
        by_shape.setdefault(re.sub(r"\d+", "*", path), []).append(path)
    return tuple(_merge_paths(alike) for alike in by_shape.values())


def _merge_paths(paths: list[str]) -> str:
    """One path for several that differ in numbers alone: those that differ become ``*``."""
    split = [re.split(r"(\d+)", path) for path in paths]
    return "".join(
        parts[0] if Counter(parts)[parts[0]] == len(parts) else "*" for parts in zip(*split, strict=True)
    )
