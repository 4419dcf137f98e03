"""Times that were predicted as a table, each with how far such predictions were off."""

from collections.abc import Sequence

from msgspec import to_builtins

from resflops.latency.prediction import PredictedRow, Profile
from resflops.tables.latency import build_setting_cells, build_setting_columns
from resflops.tables.table import Column, Figure, Note, Table, show_people_if
from resflops.tables.table import Row as Cells

__all__ = ["build_prediction_table", "list_prediction_columns"]

SHOWN_LAYERS = 10
"""Layers of a model that people are shown; programs get all."""


def build_prediction_table(profile: Profile, rows: Sequence[PredictedRow], *, layers: bool = False) -> Table:
    """Build a row for each prediction.

    Args:
        profile: what they were predicted from.
        rows: the predictions.
        layers: whether to build the table of the layers' times, too.
    """
    cells = tuple(_build_cells(row) for row in rows)
    return Table(
        name="predictions",
        title=f"Predicted latency on {profile.environment.device}",
        facts={
            "profile": {
                "environment": to_builtins(profile.environment),
                "started": profile.started,
                "budget": profile.budget,
                "ops": len(profile.samples),
                "pace": profile.find_pace(""),
                "evaluations": [{**to_builtins(each), "error": each.error} for each in profile.evaluations],
            }
        },
        columns=_build_columns(cells),
        rows=cells,
        notes=(_note_profile(profile), *_note_errors(rows), *_note_stand_ins(rows)),
        below=(_build_layer_table(rows),) if layers else (),
    )


def list_prediction_columns() -> tuple[str, ...]:
    """List the columns that a table of predictions may have."""
    return tuple(column.key for column in _build_columns(()))


def _build_cells(row: PredictedRow) -> Cells:
    prediction, error, batch = row.prediction, row.error, row.configuration.batch
    return {
        "model": row.configuration.model,
        **build_setting_cells(row.configuration.setting),
        "input_shape": row.configuration.input_shape,
        "predicted_seconds": prediction.seconds if prediction else None,
        "median_error": error.median if error else None,
        "largest_error": error.largest if error else None,
        "error_batch": error.batch if error else None,
        "error_networks": list(error.networks) if error else [],
        "items_per_second": batch / prediction.seconds if prediction and prediction.seconds else None,
        "macs": row.macs,
        "not_timed": ", ".join(prediction.stand_ins) if prediction else "",
        "stand_ins": prediction.stand_ins if prediction else {},
        "share_not_timed": prediction.share_of_stand_ins if prediction else None,
        "failure": row.failure,
    }


def _build_columns(rows: tuple[Cells, ...]) -> tuple[Column, ...]:
    return (
        Column(key="model", heading="model", repeats=False),
        *build_setting_columns(rows),
        Column(key="input_shape", audience="programs", kind="shape"),
        Column(key="predicted_seconds", heading="predicted time", kind="seconds"),
        Column(key="median_error", heading="±", kind="share"),
        Column(key="largest_error", audience="programs"),
        Column(key="error_batch", audience="programs"),
        Column(key="error_networks", audience="programs", kind="data"),
        Column(key="items_per_second", heading="inputs/s", kind="rate"),
        Column(key="macs", heading="MACs", kind="rounded", measures="cost"),
        Column(
            key="not_timed",
            heading="not timed",
            audience=show_people_if(any(row["not_timed"] for row in rows)),
            wraps=True,
            detail=3,
        ),
        Column(key="stand_ins", audience="programs", kind="data"),
        Column(key="share_not_timed", audience="programs"),
        Column(
            key="failure",
            heading="could not be predicted",
            audience=show_people_if(any(row["failure"] for row in rows)),
            wraps=True,
            detail=2,
        ),
    )


def _note_profile(profile: Profile) -> Note:
    return Note(
        text="Predicted, not measured: added up from {ops} ops that were timed on this machine ({when}) with "
        "torch {torch}; no kernel of the networks ran.",
        figures={
            "ops": Figure("count", len(profile.samples)),
            "when": Figure("text", profile.started),
            "torch": Figure("text", profile.environment.torch),
        },
        qualifies=True,
    )


def _note_errors(rows: Sequence[PredictedRow]) -> list[Note]:
    """Note what the errors are of, once for all rows that have one in common."""
    return [
        Note(
            text="±{error} is the median error on {count} networks that were timed and predicted at batch "
            "{batch} ({networks}); the largest is {largest}.",
            figures={
                "error": Figure("share", error.median),
                "count": Figure("count", len(error.networks)),
                "batch": Figure("count", error.batch),
                "networks": Figure("names", error.networks),
                "largest": Figure("share", error.largest),
            },
            qualifies=True,
        )
        for error in dict.fromkeys(row.error for row in rows if row.error)
    ]


def _note_stand_ins(rows: Sequence[PredictedRow]) -> list[Note]:
    """Note what the times of ops that were not timed are taken from."""
    notes = []
    for row in rows:
        ops: dict[str, list[str]] = {}
        for op, what in (row.prediction.stand_ins if row.prediction else {}).items():
            ops.setdefault(what, []).append(op)
        if row.prediction and ops:
            share = Figure("share", row.prediction.share_of_stand_ins)
            taken = "; ".join(f"{', '.join(names)} as {what}" for what, names in ops.items())
            notes.append(
                Note(
                    text="{model}: {share} of its time is of ops that were not timed: {taken}.",
                    figures={
                        "model": Figure("text", row.configuration.describe()),
                        "share": share,
                        "taken": Figure("text", taken),
                    },
                )
            )
    return notes


def _build_layer_table(rows: Sequence[PredictedRow]) -> Table:
    """Build the table of the layers' times, the longest first."""
    cells: list[Cells] = []
    hidden: set[int] = set()
    for row in rows:
        if row.prediction is None:
            continue
        ordered = sorted(row.prediction.layers.items(), key=lambda each: -each[1])
        hidden |= set(range(len(cells) + SHOWN_LAYERS, len(cells) + len(ordered)))
        cells += [
            {
                "model": row.configuration.model,
                "batch": row.configuration.batch,
                "layer": layer,
                "predicted_seconds": seconds,
                "share_of_time": seconds / row.prediction.seconds,
                "macs": row.layer_macs.get(layer, 0),
                "share_of_macs": row.layer_macs.get(layer, 0) / row.macs if row.macs else 0.0,
            }
            for layer, seconds in ordered
        ]
    return Table(
        name="layers",
        title="Where the time is predicted to go, the longest layers first",
        columns=(
            Column(key="model", heading="model", repeats=False),
            Column(key="batch", heading="batch", kind="count"),
            Column(key="layer", heading="layer", empty="(the model itself)"),
            Column(key="predicted_seconds", heading="predicted time", kind="seconds"),
            Column(key="share_of_time", heading="of time", kind="share"),
            Column(key="macs", heading="MACs", kind="count", audience="programs"),
            Column(key="share_of_macs", heading="of MACs", kind="share"),
        ),
        rows=tuple(cells),
        hidden=frozenset(hidden),
        notes=(
            Note(
                text="The error of a layer's time may be larger than that of the whole; at most {shown} "
                "layers of each model are shown.",
                figures={"shown": Figure("count", SHOWN_LAYERS)},
                audience="people",
            ),
        ),
    )
