"""The comparison: one row a model, with the published figures beside the exact ones."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from resflops.cost import Cost
from resflops.cost.convention import Convention
from resflops.errors import pluralize
from resflops.models.published import Agreement, PublishedFigure, judge_agreement, select_figures
from resflops.ops import is_of_family
from resflops.records import Shape
from resflops.sources import FoundModel
from resflops.tables.sparsity import build_nonzero_column, note_nonzero
from resflops.tables.stored import build_stored_columns, note_stored
from resflops.tables.table import (
    Audience,
    Column,
    Figure,
    Note,
    Row,
    Table,
    format_cost_heading,
    list_uncounted_ops,
    note_convention,
    show_people_if,
)
from resflops.tables.training import (
    TRAINING_FIGURES,
    build_training_cells,
    build_training_columns,
    note_training,
)

__all__ = [
    "COLUMN_NAMES",
    "Entry",
    "Failed",
    "FigureVerdict",
    "build_comparison",
    "build_entry",
    "find_batch_size",
    "judge_figures",
    "note_interrupt",
    "note_trace",
    "note_uncounted",
    "rename_cost",
]  # fmt: skip


class Entry(Struct, frozen=True, kw_only=True):
    """A cost, with what is known about its model."""

    cost: Cost
    variant: str = ""
    """Which network it is, where people mean different ones by the name."""
    figures: tuple[PublishedFigure, ...] = ()
    """The figures that were printed for this network on this input."""
    stored: str = ""
    """Where its trace was stored, in words; ``""`` if it was taken now."""
    spec: str = ""
    """The spec of a model that goes by a label; ``""`` if it goes by its spec."""


class Failed(Struct, frozen=True, kw_only=True):
    """A model that could not be counted."""

    model: str
    reason: str
    input_shape: Shape | None = None
    """The shape that was asked for; None for the usual one."""
    spec: str = ""
    """The spec of a model that goes by a label; ``""`` if it goes by its spec."""


class FigureVerdict(Struct, frozen=True, kw_only=True):
    """A published figure beside ours, and whether they agree."""

    figure: PublishedFigure
    exact: int | Fraction
    agreement: Agreement
    other: str = ""
    """What the other model of a ratio is called in this table."""


def build_entry(found: FoundModel, cost: Cost, *, stored: str = "", label: str = "") -> Entry:
    """Add the figures that were printed for a model to its cost.

    Printed multiply-accumulates hold for the usual input alone, and are left out for another.

    Args:
        found: the model.
        cost: what it costs.
        stored: where its trace was stored, in words; ``""`` if it was taken now.
        label: a name of the user's for it, which then stands wherever the cost is shown.
    """
    usual = _list_input_shapes(cost) == ((1, *found.input_shape),)
    figures = tuple(figure for figure in select_figures(found.name) if usual or figure.quantity != "macs")
    if not label:
        return Entry(cost=cost, variant=found.variant, figures=figures, stored=stored)
    return Entry(
        cost=rename_cost(cost, label),
        variant=found.variant,
        figures=figures,
        stored=stored,
        spec=cost.model,
    )


def rename_cost(cost: Cost, name: str) -> Cost:
    """Give a cost another name, which stands wherever it is shown."""
    return replace(cost, trace=replace(cost.trace, model=name))


def build_comparison(results: Sequence[Entry | Failed], *, notes: Sequence[Note] = ()) -> Table:
    """Build the table of ``resflops table``, models in the given order.

    Args:
        results: at least one entry; all costs under one convention.
        notes: what else to say under it.
    """
    entries = [result for result in results if isinstance(result, Entry)]
    convention = entries[0].cost.priced_by
    most_expensive = max(entries, key=lambda one: one.cost.total).cost
    judged = _judge_all(entries)
    verdicts = iter(judged)
    rows = tuple(
        _build_row(result, most_expensive, next(verdicts))
        if isinstance(result, Entry)
        else _build_failed_row(result)
        for result in results
    )
    return Table(
        title=f"Cost under the convention {convention.name}",
        convention=convention.name,
        caption=_build_caption(rows, convention),
        label="cost",
        columns=_build_columns(rows, format_cost_heading(convention), most_expensive.model),
        rows=rows,
        notes=(
            note_convention(convention),
            *_note_batches(rows),
            *note_training([one.cost for one in entries]),
            *note_nonzero([one.cost for one in entries]),
            *_keep_first(
                [
                    *(_note_variant(one) for one in entries if one.variant),
                    *(
                        note
                        for one, given in zip(entries, judged, strict=True)
                        for verdict in given
                        for note in _note_verdict(verdict, one)
                    ),
                    *(note for one in entries for note in note_trace(one.cost)),
                    *(note_uncounted(one.cost) for one in entries if not one.cost.complete),
                ]
            ),
            *note_stored(dict.fromkeys((one.cost.model, one.stored) for one in entries)),
            *notes,
        ),
    )


def _judge_all(entries: Sequence[Entry]) -> list[tuple[FigureVerdict, ...]]:
    """Judge the figures of every model, each among the models on the same input."""
    costs: dict[tuple[Shape, ...], dict[str, Cost]] = {}
    for one in entries:
        # By spec, which a published figure names the other model of its ratio by.
        costs.setdefault(_list_input_shapes(one.cost), {})[one.spec or one.cost.model] = one.cost
    return [judge_figures(one, among=costs[_list_input_shapes(one.cost)]) for one in entries]


def _keep_first(notes: Sequence[Note]) -> list[Note]:
    """Keep each note once: a model on several inputs has the same to say of each."""
    return list({repr(note): note for note in notes}.values())


def _build_caption(rows: Sequence[Row], convention: Convention) -> Note:
    """Build what a printed table says over its rows, which has no place for other notes."""
    inputs = {row["input"] for row in rows if row["input"]}
    same = " on an input of {input}" if len(inputs) == 1 else ""
    return Note(
        text=f"Cost of models{same}. {{what}}: {{counts}}.",
        figures={
            "input": Figure("shapes", next(iter(inputs), ())),
            "what": Figure("text", format_cost_heading(convention)),
            "counts": Figure("text", convention.counts),
        },
    )


def judge_figures(one: Entry, *, among: Mapping[str, Cost]) -> tuple[FigureVerdict, ...]:
    """Judge the published figures of a model; a ratio can be judged only if the other model is there.

    Args:
        one: the model.
        among: the costs at hand by their models, in which a ratio finds its other one.
    """
    judged = []
    for figure in one.figures:
        if figure.quantity == "macs" and one.cost.convention != "macs":
            continue
        exact: int | Fraction = _count_exactly(one.cost, figure)
        name = ""
        if figure.relative_to:
            other = among.get(figure.relative_to)
            # Counts on unlike inputs have a ratio, but not the one that was printed.
            if other is None or _list_input_shapes(other) != _list_input_shapes(one.cost):
                continue
            exact, name = Fraction(exact, _count_exactly(other, figure)), other.model
        agreement = judge_agreement(figure, exact)
        judged.append(FigureVerdict(figure=figure, exact=exact, agreement=agreement, other=name))
    return tuple(judged)


def _count_exactly(cost: Cost, figure: PublishedFigure) -> int:
    """Count exactly what a published figure counts."""
    within = _build_scope_test(figure.scope)
    rows = [row for row in cost.layers if within(row.name, row.op)]
    if figure.quantity == "macs":
        return sum(row.macs for row in rows)
    buffers = (
        tensor.elements
        for module in cost.trace.modules
        if figure.quantity == "params+buffers" and within(module.path, "")
        for tensor in module.buffers
        if not tensor.tied_to
    )
    return sum(row.params for row in rows) + sum(buffers)


def _build_scope_test(scope: str) -> Callable[[str, str], bool]:
    """Build the test that tells whether an op of a layer is in the part that a figure is about."""
    if scope == "convolutions":
        return lambda _, op: is_of_family(op, "convolution")
    return lambda layer, _: not scope or layer == scope or layer.startswith(f"{scope}.")


def _list_input_shapes(cost: Cost) -> tuple[Shape, ...]:
    return tuple(given.shape for given in cost.trace.inputs)


def _build_row(one: Entry, most_expensive: Cost, judged: tuple[FigureVerdict, ...]) -> Row:
    cost = one.cost
    return {
        "model": cost.model,
        "spec": one.spec or cost.model,
        "input": _list_input_shapes(cost),
        "params": cost.params,
        "macs": cost.macs,
        "total": cost.total,
        "rounded": cost.total,
        **_build_sample_cells(cost),
        "trainable": cost.trainable,
        "frozen": cost.frozen,
        "buffers": cost.buffers,
        "ratio": cost.total / most_expensive.total if most_expensive.total else None,
        "complete": cost.complete,
        "uncounted": to_builtins(cost.uncounted),
        "variant": one.variant,
        "execution": cost.trace.execution,
        "stored": one.stored,
        "upper_bound": cost.trace.upper_bound,
        "nonzero_macs": cost.nonzero_macs,
        "error": "",
        "published": [_encode_verdict(verdict) for verdict in judged],
        "published_macs": tuple(_describe_figure(v) for v in judged if _is_about(v, "macs")),
        "published_params": tuple(_describe_figure(v) for v in judged if _is_about(v, "params")),
        **build_training_cells(cost),
    }


def _build_failed_row(failed: Failed) -> Row:
    # Every key, with None: columns are looked up in each row.
    shape = None if failed.input_shape is None else (failed.input_shape,)
    return {
        **dict.fromkeys(_FIGURES),
        "model": failed.model,
        "spec": failed.spec or failed.model,
        "input": shape,
        "complete": False,
        "error": failed.reason,
        "tone": "bad",
    }


_FIGURES = (
    "input", "batch", "params", "macs", "total", "rounded", "total_per_sample",
    "trainable", "frozen", "buffers", "ratio", "uncounted", "variant",
    "execution", "stored", "upper_bound", "nonzero_macs", "published", "published_macs", "published_params",
    "training_per_sample", *TRAINING_FIGURES,
)  # fmt: skip
"""The keys that have a value only where a model could be counted."""


def _build_sample_cells(cost: Cost) -> Row:
    """Build the cells of one sample of a batch: exact quotients, which need not be whole."""
    batch = find_batch_size(cost)
    if batch == 1:
        return {"batch": 1, "total_per_sample": cost.total, "training_per_sample": None}
    both = cost.total + cost.backward.total if cost.backward else None
    return {
        "batch": batch,
        "total_per_sample": Fraction(cost.total, batch),
        "training_per_sample": None if both is None else Fraction(both, batch),
    }


def find_batch_size(cost: Cost) -> int:
    """Find the batch size of the inputs: the first dimension, if it is the same for all of them."""
    sizes = {shape[0] for shape in _list_input_shapes(cost) if shape}
    return sizes.pop() if len(sizes) == 1 and 0 not in sizes else 1


def _note_batches(rows: tuple[Row, ...]) -> tuple[Note, ...]:
    """Note what a figure per sample is, and which ones are no whole number."""
    if not any((row["batch"] or 1) > 1 for row in rows):
        return ()
    broken = [row["model"] for row in rows if not _is_whole(row["total_per_sample"])]
    text = "Per sample is the figure of the whole batch divided by its size, the first dimension of the input"
    if not broken:
        return (Note(text=f"{text}."),)
    return (
        Note(
            text=f"{text}; that of {{models}} is a fraction, since not every op runs once for each sample.",
            figures={"models": Figure("names", tuple(broken))},
        ),
    )


def _is_whole(value: int | Fraction | None) -> bool:
    return value is None or Fraction(value).denominator == 1


COLUMN_NAMES = (
    "model", "spec", "input", "batch", "params", "trainable", "frozen", "buffers", "macs", "total", "rounded",
    "total_per_sample", "nonzero_macs", "backward_macs", "backward_input_macs",
    "backward_weight_macs", "backward_total", "backward_complete", "training_total", "training_complete",
    "training_per_sample", "ratio", "published_macs", "published_params", "complete", "variant", "execution",
    "stored", "upper_bound", "error",
)  # fmt: skip
"""The columns of a comparison that ``--columns`` and ``--sort`` take; some need another option."""


def _build_columns(rows: tuple[Row, ...], cost: str, most_expensive: str) -> tuple[Column, ...]:
    def show_if_any(key: str) -> Audience:
        return show_people_if(any(row[key] for row in rows))

    training = any("training_total" in row and row["training_total"] is not None for row in rows)
    batched: Audience = "all" if any((row["batch"] or 1) > 1 for row in rows) else "asked"
    named: Audience = "programs" if any(row["spec"] != row["model"] for row in rows) else "asked"
    several = show_people_if(len(rows) > 1)
    # On paper the input stands in the caption if it is the same for all.
    inputs = {row["input"] for row in rows if row["input"]}
    printed = (("published_macs", "published MACs", 6), ("published_params", "published parameters", 8))
    return (
        Column(key="model", heading="model"),
        Column(key="spec", heading="spec", audience=named),
        Column(key="input", heading="input", kind="shapes", detail=4, folds=False, prints=len(inputs) > 1),
        Column(
            key="batch", heading="batch", kind="count", audience="programs" if batched == "all" else "asked"
        ),
        Column(key="params", heading="parameters", kind="count", detail=2, measures="parameters"),
        Column(
            key="trainable",
            heading="trainable",
            kind="count",
            audience=show_if_any("frozen"),
            detail=3,
            prints=False,
            measures="parameters",
        ),
        Column(
            key="frozen",
            heading="frozen",
            kind="count",
            audience=show_if_any("frozen"),
            detail=3,
            prints=False,
            measures="parameters",
        ),
        Column(
            key="buffers",
            heading="buffers",
            kind="count",
            audience=show_if_any("buffers"),
            detail=5,
            folds=False,
            prints=False,
            measures="parameters",
        ),
        Column(key="macs", heading="MACs", kind="count", audience="programs", measures="cost"),
        Column(
            key="total",
            heading=f"forward {cost}" if training else cost,
            kind="count",
            exact_if="complete",
            measures="cost",
        ),
        Column(
            key="rounded", heading="≈", kind="rounded", audience="people", detail=4, folds=False, prints=False
        ),
        Column(
            key="total_per_sample",
            heading=f"{cost} per sample",
            kind="quotient",
            audience=batched,
            exact_if="complete",
            detail=2,
            measures="cost",
        ),
        build_nonzero_column(asked=any(row["nonzero_macs"] is not None for row in rows)),
        *(build_training_columns(cost, batched=batched == "all") if training else ()),
        Column(
            key="ratio",
            heading=f"of {most_expensive}",
            kind="share",
            audience=several,
            detail=1,
            prints=False,
        ),
        *(
            Column(
                key=key,
                heading=heading,
                kind="lines",
                # JSON has the figures themselves, and a CSV file numbers alone.
                audience="people" if show_if_any(key) == "all" else "asked",
                wraps=True,
                detail=detail,
                folds=key == "published_macs",
                prints=False,
            )
            for key, heading, detail in printed
        ),
        Column(key="complete", heading="complete", audience="programs"),
        Column(key="uncounted", heading="uncounted", kind="data", audience="programs"),
        Column(key="variant", heading="variant", audience="programs"),
        Column(key="execution", heading="execution", audience="programs"),
        *build_stored_columns(rows),
        *(
            [Column(key="upper_bound", heading="upper bound", audience="programs")]
            if any(row["upper_bound"] for row in rows)
            else []
        ),
        Column(
            key="error",
            heading="could not be counted",
            audience=show_if_any("error"),
            wraps=True,
            detail=7,
            tone="tone",
        ),
        Column(key="published", heading="published", kind="data", audience="programs"),
    )


_OURS: dict[Agreement, str] = {
    "exact": "exactly ours",
    "rounded": "ours rounded",
    "truncated": "ours truncated",
    "approximate": "about ours",
    "differs": "ours differs",
}


def _is_about(verdict: FigureVerdict, quantity: str) -> bool:
    """Tell whether a figure stands in the column of a quantity; figures of parts are for programs."""
    figure = verdict.figure
    return figure.quantity == quantity and not figure.relative_to and figure.scope in {"", "convolutions"}


def _describe_figure(verdict: FigureVerdict) -> str:
    figure = verdict.figure
    unit = f" {figure.unit.removesuffix('s')}" if figure.unit else ""
    part = f" ({figure.scope} alone)" if figure.scope else ""
    return f"{figure.printed}{unit}{part}, {figure.source}: {_OURS[verdict.agreement]}"


def _encode_verdict(verdict: FigureVerdict) -> Row:
    exact = verdict.exact
    return {
        **to_builtins(verdict.figure),
        "exact": exact if isinstance(exact, int) else float(exact),
        "agreement": verdict.agreement,
    }


def _note_variant(one: Entry) -> Note:
    return Note(
        text="{model}: {variant}.",
        figures={"model": Figure("text", one.cost.model), "variant": Figure("text", one.variant)},
    )


def note_interrupt(left: int) -> Note:
    """Note how many models an interrupt left out."""
    return Note(
        text=f"Interrupted: {{left}} more {pluralize('model', left)} "
        f"{'was' if left == 1 else 'were'} not counted.",
        figures={"left": Figure("count", left)},
    )


def note_trace(cost: Cost) -> tuple[Note, ...]:
    """Note what a reader should know about how the model was traced."""
    model = Figure("text", cost.model)
    return tuple(
        Note(text="{model}: {note}.", figures={"model": model, "note": Figure("text", text)}, qualifies=True)
        for text in cost.trace.notes
    )


def _note_verdict(verdict: FigureVerdict, one: Entry) -> list[Note]:
    """Note what a cell has no room for: ratios, sums, parts, and reasons for a difference."""
    figure, texts = verdict.figure, to_builtins(verdict.figure)
    given = {name: Figure("text", text) for name, text in texts.items()}
    given["ours"] = Figure("text", _OURS[verdict.agreement])
    given |= {"model": Figure("text", one.cost.model), "relative_to": Figure("text", verdict.other)}
    if figure.relative_to:
        given["exact"] = Figure("fine share", verdict.exact)
        text = "{source} print {printed} for {model} relative to {relative_to}; exact is {exact}: {ours}."
    elif figure.quantity == "params+buffers":
        if not one.cost.buffers:
            return []
        given |= {
            "params": Figure("count", one.cost.params),
            "buffers": Figure("count", one.cost.buffers),
            "exact": Figure("count", verdict.exact),
        }
        text = "{model}: {params} parameters + {buffers} buffers = {exact}; {source} print {printed}: {ours}."
    elif figure.reason:
        text = "{model}: {source} print {printed}, and ours differs: {reason}."
    elif figure.scope == "convolutions":
        given["exact"] = Figure("count", verdict.exact)
        text = "{model}: {source} print {printed} for the convolutions alone, which have {exact}: {ours}."
    else:
        return []
    return [Note(text=text, figures=given)]


def note_uncounted(cost: Cost) -> Note:
    """Note the ops that the total lacks, those that touch most data first."""
    return Note(
        qualifies=True,
        text="{model} is incomplete (≥): these ops have no rule and are not in its figures: {ops}.",
        figures={
            "model": Figure("text", cost.model),
            "ops": Figure("text", list_uncounted_ops(cost.uncounted)),
        },
    )
