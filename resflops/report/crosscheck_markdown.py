"""A cross-check of many models as a report: what is explained, what is not, and who misses attention."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from resflops.counters import CONVENTIONS, PEERS
from resflops.crosschecking.reconciliation import CrossCheck, Reconciliation
from resflops.render import rendering
from resflops.tables import Column, Figure, Note, Table, crosscheck_table
from resflops.tables.table import Row

__all__ = ["crosscheck_report"]

LINE_UP = "resnet34"
"""The model whose figures are taken apart in full."""

ATTENTION = ("torchvision/vit_b_16", "torchvision/swin_t")
"""The models whose attention is looked for."""

MISSED = ("attention", "projections", "linear layers")
"""How the causes begin that take attention, or layers that work on sequences, out of a figure."""


def crosscheck_report(results: CrossCheck) -> str:
    """The report as Markdown, every number from the results.

    Args:
        results: of the full matrix; parts that it has no models for are left out.
    """
    rows = results.rows
    sections = [
        "# What every counter counts, and why they differ",
        _provenance(results),
        "## How much is explained",
        _markdown(_explained(rows)),
        *_if_any("## What is not explained", _not_explained(rows)),
        *_if_any("## Peers that gave no figure", _failures(rows)),
        *_line_up(results),
        *_attention(rows),
        "## Every model",
        _differences(rows),
    ]
    return "\n\n".join(section.strip("\n") for section in sections) + "\n"


def _provenance(results: CrossCheck) -> str:
    where = ", ".join(f"{name} {value}" for name, value in results.environment.items())
    versions = dict.fromkeys(f"{row.peer} {row.version}" for row in results.rows if row.version)
    return (
        "Every peer was run on every model, each time in a process of its own, on a copy of the "
        "model in eval "
        "mode on the CPU, batch size 1. Its figure less our multiply-accumulates (convention `macs`) "
        "is taken "
        "apart op by op, as the peer's convention prices it; what is left after that is *unexplained*. This "
        "page is made from `data/crosscheck.json`, which `python tests/benchmarks/crosscheck_matrix.py "
        f"reports/data/crosscheck.json` makes.\n\nRun with {where}; {', '.join(versions)}."
    )


def _sets(rows: Sequence[Reconciliation]) -> dict[str, list[Reconciliation]]:
    sets: dict[str, list[Reconciliation]] = {}
    for row in rows:
        source, slash, _ = row.model.partition("/")
        sets.setdefault(source if slash else "built-in", []).append(row)
    return sets


def _explained(rows: Sequence[Reconciliation]) -> Table:
    sets = _sets(rows)
    of_peer: list[Row] = []
    for name in PEERS:
        cells: dict[str, object] = {"peer": name}
        for source, those in sets.items():
            pairs = _pairs(row for row in those if row.peer == name)
            cells[f"{source} pairs"] = len(pairs)
            cells[f"{source} explained"] = sum(pairs.values())
        of_peer.append(cells)
    numbers = [f"{source} {what}" for source in sets for what in ("pairs", "explained")]
    totals = {key: sum(int(str(row[key])) for row in of_peer) for key in numbers}
    return Table(
        title="Pairs of a model and a peer, and how many of them are explained to the last operation",
        columns=(
            Column(key="peer", heading="peer"),
            *(
                Column(key=f"{source} {what}", heading=f"{source}: {what}", kind="count")
                for source in sets
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
            for source in sets
        ),
    )


def _pairs(rows: Iterable[Reconciliation]) -> dict[tuple[str, str], bool]:
    """Pairs of a model and a peer, and whether all figures of the peer are explained."""
    pairs: dict[tuple[str, str], bool] = {}
    for row in rows:
        pair = (row.model, row.peer)
        pairs[pair] = pairs.get(pair, True) and row.explained
    return pairs


def _not_explained(rows: Sequence[Reconciliation]) -> str:
    lacking = [row for row in rows if row.figure is not None and not row.explained]
    if not lacking:
        return ""
    return _markdown(
        Table(
            title="Figures with a remainder, and what is known",
            columns=(
                Column(key="model", heading="model", repeats=False),
                Column(key="convention", heading="convention"),
                Column(key="figure", heading="its figure", kind="count"),
                Column(key="unexplained", heading="unexplained", kind="signed"),
                Column(key="params", heading="unexplained parameters", kind="signed"),
                Column(key="known", heading="known"),
            ),
            rows=tuple(
                {
                    "model": row.model,
                    "convention": row.convention,
                    "figure": row.figure,
                    "unexplained": row.unexplained,
                    "params": row.unexplained_params,
                    "known": "; ".join(PEERS[row.peer].limits) or "nothing",
                }
                for row in lacking
            ),
        )
    )


def _failures(rows: Sequence[Reconciliation]) -> str:
    failed = [row for row in rows if row.failure]
    return "\n".join(f"- {row.peer} on {row.model}: {row.failure}" for row in failed)


def _line_up(results: CrossCheck) -> list[str]:
    those = tuple(row for row in results.rows if row.model == LINE_UP)
    if not those:
        return []
    table = crosscheck_table(CrossCheck(rows=those, environment=results.environment))
    return [f"## {LINE_UP}, figure by figure", _markdown(table)]


def _attention(rows: Sequence[Reconciliation]) -> list[str]:
    parts = []
    for model in ATTENTION:
        those = [row for row in rows if row.model == model and row.figure is not None and _is_main(row)]
        if those:
            parts.append(_markdown(_missed(model, those)))
    return _if_any("## Who misses attention", "\n\n".join(parts))


def _is_main(row: Reconciliation) -> bool:
    return row.convention == PEERS[row.peer].convention.name


def _missed(model: str, rows: Sequence[Reconciliation]) -> Table:
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


def _differences(rows: Sequence[Reconciliation]) -> str:
    """One table a source: what each peer's main figure has more than our MACs, as a share of them."""
    parts = []
    for source, those in _sets(rows).items():
        main = [row for row in those if _is_main(row)]
        names = [each.convention.name for each in PEERS.values()]
        table = Table(
            title=f"{source}: the difference of every peer's figure from our MACs, counted as it counts them",
            columns=(
                Column(key="model", heading="model"),
                Column(key="macs", heading="MACs (macs)", kind="count"),
                *(
                    Column(
                        key=name,
                        heading=name + (f" ({CONVENTIONS[name].per_mac} per MAC)" if _doubles(name) else ""),
                        kind="signed",
                    )
                    for name in names
                ),
            ),
            rows=tuple(
                {
                    "model": model,
                    "macs": max(row.macs for row in of_model),
                    **{row.convention: row.difference for row in of_model},
                }
                for model, of_model in (
                    (model, list(group)) for model, group in groupby(main, key=lambda row: row.model)
                )
            ),
        )
        parts.append(_markdown(table))
    return "\n\n".join(parts)


def _doubles(name: str) -> bool:
    return CONVENTIONS[name].per_mac != 1


def _markdown(table: Table) -> str:
    return rendering("markdown").render(table)


def _if_any(heading: str, text: str) -> list[str]:
    return [heading, text] if text else []
