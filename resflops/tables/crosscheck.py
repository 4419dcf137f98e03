"""The peers' figures beside ours, what makes the difference, and where it comes from."""

from collections.abc import Mapping, Sequence

from msgspec import to_builtins

from resflops.cost.convention import find_convention
from resflops.counters import PEERS
from resflops.crosschecking.reconciliation import Cause, CrossCheck, ParameterCause, Reconciliation
from resflops.tables.table import Audience, Column, Figure, Note, Row, Table, note_convention, show_people_if

__all__ = ["build_crosscheck_table", "list_crosscheck_columns"]


def build_crosscheck_table(
    check: CrossCheck,
    *,
    layers: bool = False,
    notes: Sequence[Note] = (),
    specs: Mapping[str, str] | None = None,
) -> Table:
    """Build the table of ``resflops crosscheck``: figures, and below them the causes.

    Args:
        check: at least one row.
        layers: show also what every layer contributes to each cause.
        notes: what else to say under it.
        specs: the specs of models that go by a label, by the label.
    """
    rows = check.rows
    several = show_people_if(len({row.model for row in rows}) > 1)
    only = "" if several == "all" else f" on {rows[0].model}"
    return Table(
        title=f"Peers beside the convention macs{only}",
        convention="macs",
        facts={"environment": check.environment},
        columns=_build_columns(rows, several, labelled=bool(specs)),
        rows=tuple({**_build_row(row), "spec": (specs or {}).get(row.model, row.model)} for row in rows),
        notes=(
            *_note_conventions(rows),
            *_note_remainders(rows),
            *_note_unverified_versions(rows),
            *_note_uncounted(rows),
            *notes,
        ),
        below=(
            _build_cause_table(rows, several),
            *([_build_parameter_table(rows, several)] if any(row.parameter_causes for row in rows) else []),
            *([_build_place_table(rows, several)] if layers else []),
        ),
    )


def list_crosscheck_columns() -> tuple[str, ...]:
    """List the columns that a table of peers may have."""
    return tuple(column.key for column in _build_columns((), "all", labelled=True))


def _build_columns(
    rows: Sequence[Reconciliation], several: Audience, *, labelled: bool
) -> tuple[Column, ...]:
    failed = show_people_if(any(row.failure for row in rows))
    doubled = show_people_if(any(row.per_mac != 1 for row in rows))
    return (
        Column(key="model", heading="model", repeats=False, audience=several),
        Column(key="spec", heading="spec", audience="programs" if labelled else "asked"),
        Column(key="input", heading="input", kind="shapes", audience="programs"),
        Column(key="peer", heading="peer", audience="programs"),
        Column(key="peer_convention", heading="convention"),
        Column(key="version", heading="version", detail=4, folds=False),
        Column(key="verified", audience="programs"),
        Column(key="figure", heading="its figure", kind="count"),
        Column(
            key="macs",
            heading="MACs",
            kind="count",
            exact_if="complete",
            detail=2,
            measures="cost",
            folds=False,
        ),
        Column(key="per_mac", heading="times", kind="count", audience=doubled, detail=2, folds=False),
        Column(key="difference", heading="difference", kind="signed"),
        Column(key="unexplained", heading="unexplained", kind="signed"),
        Column(
            key="peer_params",
            heading="its parameters",
            kind="count",
            detail=3,
            folds=False,
            measures="parameters",
        ),
        Column(key="params", heading="parameters", kind="count", audience="programs"),
        Column(key="params_difference", heading="parameter difference", kind="signed", detail=3, folds=False),
        Column(
            key="unexplained_params", heading="unexplained parameters", kind="signed", detail=3, folds=False
        ),
        Column(key="complete", audience="programs"),
        Column(key="failure", heading="no figure", audience=failed, wraps=True, detail=5),
    )


def _build_row(row: Reconciliation) -> Row:
    has_figure, has_params = row.figure is not None, row.peer_params is not None
    return {
        "model": row.model,
        "input": row.inputs,
        "peer": row.peer,
        "peer_convention": row.convention,
        "version": row.version,
        "verified": row.verified,
        "figure": row.figure,
        "macs": row.macs if has_figure else None,
        "per_mac": row.per_mac if has_figure else None,
        "difference": row.difference,
        "unexplained": row.unexplained if has_figure else None,
        "peer_params": row.peer_params,
        "params": row.params if has_params else None,
        "params_difference": row.peer_params - row.params if row.peer_params is not None else None,
        "unexplained_params": row.unexplained_params if has_params else None,
        "complete": not row.uncounted,
        "failure": row.failure,
    }


def _build_key_columns(several: Audience) -> tuple[Column, ...]:
    return (
        Column(key="model", heading="model", repeats=False, audience=several),
        Column(key="peer_convention", heading="convention", repeats=False),
    )


def _build_key_cells(row: Reconciliation, cause: Cause | ParameterCause) -> Row:
    return {"model": row.model, "peer_convention": row.convention, "cause": cause.name}


CAUSE = Column(key="cause", heading="cause", wraps=True)
AMOUNT = Column(key="amount", heading="counted more", kind="signed")


def _build_cause_table(rows: Sequence[Reconciliation], several: Audience) -> Table:
    return Table(
        name="causes",
        title="What makes the difference",
        columns=(
            *_build_key_columns(several),
            CAUSE,
            AMOUNT,
            Column(key="ops", heading="ops", kind="count", detail=1, folds=False),
            Column(key="layers", heading="layers", kind="count", detail=1, folds=False),
            Column(key="where", heading="where", kind="names", wraps=True, detail=2),
        ),
        rows=tuple(
            {
                **_build_key_cells(row, cause),
                "amount": cause.amount,
                "ops": cause.ops,
                "layers": cause.layers,
                "where": cause.where,
            }
            for row in rows
            for cause in row.causes
        ),
        notes=(
            Note(
                text="In the unit of each convention. A * stands for numbers that differ between layers.",
                audience="people",
            ),
        ),
    )


def _build_parameter_table(rows: Sequence[Reconciliation], several: Audience) -> Table:
    return Table(
        name="parameter_causes",
        title="What makes the difference in parameters",
        columns=(
            *_build_key_columns(several),
            CAUSE,
            AMOUNT,
            Column(key="modules", heading="held by", kind="names", wraps=True, detail=1),
        ),
        rows=tuple(
            {
                **_build_key_cells(row, cause),
                "amount": cause.amount,
                "modules": tuple(name or "the model itself" for name in cause.modules),
            }
            for row in rows
            for cause in row.parameter_causes
        ),
    )


def _build_place_table(rows: Sequence[Reconciliation], several: Audience) -> Table:
    return Table(
        name="places",
        title="Layer by layer",
        columns=(
            *_build_key_columns(several),
            Column(key="layer", heading="layer", empty="(the model itself)"),
            Column(key="op", heading="op"),
            Column(key="calls", heading="calls", kind="count"),
            AMOUNT,
            CAUSE,
        ),
        rows=tuple(
            {
                **_build_key_cells(row, cause),
                **to_builtins(place),
            }
            for row in rows
            for cause in row.causes
            for place in cause.places
        ),
    )


def _note_conventions(rows: Sequence[Reconciliation]) -> list[Note]:
    return [note_convention(find_convention(name)) for name in dict.fromkeys(row.convention for row in rows)]


def _note_remainders(rows: Sequence[Reconciliation]) -> list[Note]:
    """Note the peers with a remainder, and what is known that may be the reason."""
    unexplained = dict.fromkeys(row.peer for row in rows if row.unexplained or row.unexplained_params)
    return [
        Note(
            text="{peer} is not explained to the last operation on {models}. Known limits: {known}.",
            figures={
                "peer": Figure("text", name),
                "models": Figure(
                    "names",
                    tuple(
                        dict.fromkeys(
                            row.model
                            for row in rows
                            if row.peer == name and (row.unexplained or row.unexplained_params)
                        )
                    ),
                ),
                "known": Figure("text", "; ".join(PEERS[name].limits) or "none that would explain it"),
            },
        )
        for name in unexplained
    ]


def _note_unverified_versions(rows: Sequence[Reconciliation]) -> list[Note]:
    unverified = dict.fromkeys((row.peer, row.version) for row in rows if row.version and not row.verified)
    return [_note_unverified_version(name, version) for name, version in unverified]


def _note_unverified_version(name: str, version: str) -> Note:
    peer = PEERS[name]
    statement = {
        "newer": "is newer than those its convention was verified with",
        "older": "is older than those its convention was verified with",
        "unknown": "is not a version that can be compared with those its convention was verified with",
        # A file may have been written before the version was verified.
        "verified": "was not verified when this was measured; its convention is now verified with",
    }[peer.verify(version)]
    return Note(
        text=f"{{peer}} {{version}} {statement}: {{versions}}.",
        figures={
            "peer": Figure("text", name),
            "version": Figure("text", version),
            "versions": Figure("names", peer.verified_versions),
        },
    )


def _note_uncounted(rows: Sequence[Reconciliation]) -> list[Note]:
    uncounted = {row.model: row.uncounted for row in rows if row.uncounted}
    return [
        Note(
            text="{model} is incomplete (≥): these ops have no rule and are not in our figure: {ops}.",
            figures={"model": Figure("text", model), "ops": Figure("names", ops)},
        )
        for model, ops in uncounted.items()
    ]
