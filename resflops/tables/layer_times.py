"""Where the time of a step goes, layer by layer, beside where its multiply-accumulates are."""

from collections.abc import Sequence

from resflops.latency.measurements import Attribution, Measurements, Row
from resflops.tables.table import Column, Figure, Note, Table
from resflops.tables.table import Row as Cells

__all__ = ["build_layer_time_table"]

SHOWN_LAYERS = 10
"""Layers of a model that people are shown; programs get all."""


def build_layer_time_table(several: Sequence[Measurements]) -> Table | None:
    """Build the table of all layers whose time was attributed; None if there are none.

    Those whose share of the time is farthest from their share of the MACs come first.
    """
    rows: list[Cells] = []
    hidden: set[int] = set()
    notes = []
    for measurements in several:
        for row in measurements.rows:
            if row.attribution and row.workload and row.series.time:
                cells, trusted = _build_layer_cells(row), row.attribution.trustworthy
                hidden |= {len(rows) + place for place in range(SHOWN_LAYERS if trusted else 0, len(cells))}
                rows += cells
                notes.append(_note_overhead(row) if trusted else _note_withheld(row))
    if not rows:
        return None
    return Table(
        name="layers",
        title="Where the time goes, the largest differences between time and MACs first",
        columns=(
            Column(key="model", heading="model", repeats=False),
            Column(key="setting", heading="setting", repeats=False),
            Column(key="layer", heading="layer", empty="(the model itself)"),
            Column(key="seconds", heading="time", kind="seconds"),
            Column(key="share_of_time", heading="of time", kind="share"),
            Column(key="macs", heading="MACs", kind="count", audience="programs"),
            Column(key="share_of_macs", heading="of MACs", kind="share"),
            Column(key="difference", heading="points", kind="points"),
            Column(key="trustworthy", audience="programs"),
        ),
        rows=tuple(rows),
        hidden=frozenset(hidden),
        notes=tuple(notes),
    )


def _build_layer_cells(row: Row) -> list[Cells]:
    attribution, workload = row.attribution, row.workload
    if attribution is None or workload is None:
        return []
    whole = sum(layer.seconds for layer in attribution.layers)
    seconds = {layer.name: layer.seconds for layer in attribution.layers}
    rows = _find_rows(attribution)
    counts = dict.fromkeys(seconds, 0)
    for layer, count in workload.layer_macs.items():
        row_name = rows.get(layer, layer)
        counts[row_name] = counts.get(row_name, 0) + count
    cells = []
    for name, macs in counts.items():
        of_time = seconds.get(name, 0.0) / whole if whole else 0.0
        of_macs = macs / workload.macs if workload.macs else 0.0
        cells.append(
            {
                "model": row.configuration.model,
                "setting": row.configuration.setting.describe(),
                "layer": name,
                "seconds": seconds.get(name),
                "share_of_time": of_time,
                "macs": macs,
                "share_of_macs": of_macs,
                "difference": of_time - of_macs,
                "trustworthy": attribution.trustworthy,
            }
        )
    return sorted(cells, key=lambda each: -abs(each["difference"]))


def _find_rows(attribution: Attribution) -> dict[str, str]:
    """Find the row of each layer: of several that it is fused into, the one that takes longest."""
    parts = [(layer, part) for layer in attribution.layers for part in layer.fused or (layer.name,)]
    return {part: layer.name for layer, part in sorted(parts, key=lambda each: each[0].seconds)}


def _name_markers(row: Row) -> str:
    return "markers" if row.configuration.backend == "torch" else "profile"


def _note_withheld(row: Row) -> Note:
    attribution = row.attribution
    return Note(
        text="{what}: no times of layers are shown, because a step takes {ratio} as long with its "
        f"{_name_markers(row)} as without; measure again while the machine is quiet.",
        figures={
            "what": Figure("text", row.configuration.describe()),
            "ratio": Figure(
                "times",
                attribution.seconds / attribution.plain_seconds
                if attribution and attribution.plain_seconds
                else None,
            ),
        },
    )


def _note_overhead(row: Row) -> Note:
    attribution = row.attribution
    layers = len(_build_layer_cells(row))
    ratio = attribution.seconds / attribution.plain_seconds if attribution else None
    return Note(
        text="{what}: a step takes {ratio} as long with its "
        f"{_name_markers(row)} as without; "
        "{shown} of {layers} layers are shown.",
        figures={
            "what": Figure("text", row.configuration.describe()),
            "ratio": Figure("times", ratio),
            "shown": Figure("count", min(layers, SHOWN_LAYERS)),
            "layers": Figure("count", layers),
        },
    )
