"""The tables of ``crosscheck.md``: what is explained, what is not, and who misses attention."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from resflops.counters import CONVENTIONS, PEERS
from resflops.crosschecking.reconciliation import Reconciliation
from resflops.tables import Column, Figure, Note, Table
from resflops.tables.table import Row

__all__ = [
    "MODULE_PEERS",
    "build_difference_tables",
    "build_explained_table",
    "build_missed_attention_tables",
    "build_remainder_table",
]

MODULE_PEERS = {name: each for name, each in PEERS.items() if each.takes == "modules"}
"""The peers of the page, whose models are modules."""

ATTENTION = ("torchvision/vit_b_16", "torchvision/swin_t")
"""The models whose attention is looked for."""

MISSED = ("attention", "projections", "linear layers")
"""How the names of causes begin that take attention, or layers that work on sequences, out of a figure."""


def build_explained_table(rows: Sequence[Reconciliation]) -> Table:
    """Build the table of how many pairs of a model and a peer are explained, by the models' packages."""
    by_source = _group_by_source(rows)
    of_peer: list[Row] = []
    for name in MODULE_PEERS:
        cells: dict[str, object] = {"peer": name}
        for source, those in by_source.items():
            pairs = _judge_pairs(row for row in those if row.peer == name)
            cells[f"{source} pairs"] = len(pairs)
            cells[f"{source} explained"] = sum(pairs.values())
        of_peer.append(cells)
    numbers = [f"{source} {what}" for source in by_source for what in ("pairs", "explained")]
    totals = {key: sum(row[key] for row in of_peer) for key in numbers}
    return Table(
        title="Pairs of a model and a peer, and how many of them are explained to the last operation",
        columns=(
            Column(key="peer", heading="peer"),
            *(
                Column(key=f"{source} {what}", heading=f"{source}: {what}", kind="count")
                for source in by_source
                for what in ("pairs", "explained")
            ),
        ),
        rows=tuple(of_peer),
        total={"peer": "all", **totals},
        notes=tuple(
            Note(
                text="{source}: {share} of all pairs.",
                figures={
                    "source": Figure("text", source),
                    "share": Figure(
                        "fine share", totals[f"{source} explained"] / max(totals[f"{source} pairs"], 1)
                    ),
                },
            )
            for source in by_source
        ),
    )


def _group_by_source(rows: Sequence[Reconciliation]) -> dict[str, list[Reconciliation]]:
    """Group rows by the package that their model comes from."""
    sources: dict[str, list[Reconciliation]] = {}
    for row in rows:
        source, slash, _ = row.model.partition("/")
        sources.setdefault(source if slash else "built-in", []).append(row)
    return sources


def _judge_pairs(rows: Iterable[Reconciliation]) -> dict[tuple[str, str], bool]:
    """Find the pairs of a model and a peer, and whether all figures of the peer are explained."""
    pairs: dict[tuple[str, str], bool] = {}
    for row in rows:
        pair = (row.model, row.peer)
        pairs[pair] = pairs.get(pair, True) and row.explained
    return pairs


def build_remainder_table(rows: Sequence[Reconciliation]) -> Table:
    """Build the table of figures with a remainder that no cause explains; without rows if there is none."""
    unexplained = [row for row in rows if row.figure is not None and not row.explained]
    return Table(
        title="Figures with a remainder",
        columns=(
            Column(key="model", heading="model", repeats=False),
            Column(key="convention", heading="convention"),
            Column(key="figure", heading="its figure", kind="count"),
            Column(key="unexplained", heading="unexplained", kind="signed"),
            Column(key="params", heading="unexplained parameters", kind="signed"),
        ),
        rows=tuple(
            {
                "model": row.model,
                "convention": row.convention,
                "figure": row.figure,
                "unexplained": row.unexplained,
                "params": row.unexplained_params,
            }
            for row in unexplained
        ),
        notes=tuple(_build_limit_notes(unexplained)),
    )


def _build_limit_notes(rows: Sequence[Reconciliation]) -> Iterator[Note]:
    """Say once of all peers with the same limits what they are."""
    of_limits: dict[tuple[str, ...], dict[str, None]] = {}
    for row in rows:
        of_limits.setdefault(PEERS[row.peer].limits, {})[row.peer] = None
    for limits, peers in of_limits.items():
        yield Note(
            text="{peers}: {known}.",
            figures={
                "peers": Figure("text", ", ".join(peers)),
                "known": Figure("text", "; ".join(limits) or "the cause is not known"),
            },
        )


def build_missed_attention_tables(rows: Sequence[Reconciliation]) -> list[Table]:
    """What each peer does not see of a model with attention, a table a model."""
    main = [row for row in rows if row.figure is not None and _is_main(row)]
    of_models = [(model, [row for row in main if row.model == model]) for model in ATTENTION]
    return [_build_missed_table(model, of_model) for model, of_model in of_models if of_model]


def _is_main(row: Reconciliation) -> bool:
    """Tell whether a figure is the first of those that its peer gives for a model."""
    return row.convention == PEERS[row.peer].convention.name


def _build_missed_table(model: str, rows: Sequence[Reconciliation]) -> Table:
    found: list[Row] = []
    for row in rows:
        causes = [cause for cause in row.causes if cause.name.startswith(MISSED) and cause.amount < 0]
        whole = row.per_mac * row.macs
        found += [
            {
                "convention": row.convention,
                "cause": cause.name,
                "amount": cause.amount,
                "share": -cause.amount / whole,
                "layers": cause.layers,
                "where": cause.where,
            }
            for cause in causes
        ] or [
            {
                "convention": row.convention,
                "cause": "nothing is missed",
                "amount": 0,
                "share": 0.0,
                "layers": 0,
                "where": (),
            }
        ]
    return Table(
        title=f"{model}: what each peer does not see of {rows[0].macs:,} MACs",
        columns=(
            Column(key="convention", heading="convention", repeats=False),
            Column(key="cause", heading="what"),
            Column(key="amount", heading="counted more", kind="signed"),
            Column(key="share", heading="of all MACs", kind="share"),
            Column(key="layers", heading="layers", kind="count"),
            Column(key="where", heading="where", kind="names"),
        ),
        rows=tuple(found),
    )


def build_difference_tables(rows: Sequence[Reconciliation]) -> list[Table]:
    """Build a table for each source of models: how each peer's main figure differs from our MACs."""
    names = [each.convention.name for each in MODULE_PEERS.values()]
    return [
        Table(
            title=f"{source}: the difference of every peer's figure from our MACs, counted as it counts them",
            columns=(
                Column(key="model", heading="model"),
                Column(key="macs", heading="MACs", kind="count"),
                *(
                    Column(key=name, heading=_format_difference_heading(name), kind="signed")
                    for name in names
                ),
            ),
            rows=tuple(
                _build_difference_cells(model, list(of_model))
                for model, of_model in groupby(filter(_is_main, those), key=lambda row: row.model)
            ),
        )
        for source, those in _group_by_source(rows).items()
    ]


def _format_difference_heading(convention: str) -> str:
    per_mac = CONVENTIONS[convention].per_mac
    return f"{convention} ({per_mac} per MAC)" if per_mac != 1 else convention


def _build_difference_cells(model: str, rows: Sequence[Reconciliation]) -> Row:
    return {
        "model": model,
        "macs": max(row.macs for row in rows),
        **{row.convention: row.difference for row in rows},
    }
