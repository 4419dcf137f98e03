"""One page about the history of costs: the picture, and every step with its commit and its layers."""

import base64
from collections.abc import Iterator

from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace

from resflops.cost.convention import find_convention
from resflops.gate.history.steps import CostStep, History, ModelHistory
from resflops.render.formats import format_note, format_signed, format_signed_share, format_value
from resflops.render.html import render_fragment
from resflops.report.pictures.history import draw_file
from resflops.report.standalone import render_standalone
from resflops.report.style import DARK, LIGHT, Theme
from resflops.tables.history import build_history_table, list_layers, name_commits
from resflops.tables.layer_changes import build_layer_change_tables, name_metric
from resflops.tables.table import Table, format_cost_heading

__all__ = ["render_history_page"]

SCRIPTS = ("history_page.js",)
STYLES = ("explorer.css", "history.css")


class _StepEntry(Struct, frozen=True, kw_only=True):
    """One step as the page shows it: every field is written already."""

    model: str
    commit: str
    date: str
    author: str
    subject: str
    change: str
    figures: tuple[tuple[str, str, str, str], ...]
    """Of each figure that changed: its name, what it was and is, and the change."""
    layers: str
    table: Markup
    grows: bool


def render_history_page(history: History) -> str:
    """Render the page about a history in which at least one model has a figure."""
    table = build_history_table(history)
    steps = list(_list_steps(history))
    return render_standalone(
        "history.html.jinja",
        scripts=SCRIPTS,
        styles=STYLES,
        data={},
        title=f"What each commit changed: {history.range}",
        summary=_summarize(history, len(steps)),
        models=[model.name for model in history.models],
        # In an image of its own, each picture keeps the names of its parts to itself.
        pictures={theme.name: _encode_picture(history, theme) for theme in (LIGHT, DARK)},
        steps=steps,
        commits=Markup(render_fragment(replace(_show_all(table), below=(), notes=()))),  # noqa: S704 - escaped
        notes=[format_note(note) for note in table.notes if note.audience != "programs"],
    )


def _summarize(history: History, steps: int) -> str:
    first, last = history.commits[0], history.commits[-1]
    return (
        f"{len(history.commits)} commits from {first.short} of {first.date} to {last.short} of {last.date}; "
        f"{steps} changes of what a model costs."
    )


def _show_all(table: Table) -> Table:
    return replace(table, hidden=frozenset(), title="")


def _encode_picture(history: History, theme: Theme) -> str:
    return base64.b64encode(draw_file(history, ending=".svg", theme=theme)).decode()


def _list_steps(history: History) -> Iterator[_StepEntry]:
    """List the steps of all models, the newest first."""
    steps = [(step, model) for model in history.models for step in model.steps]
    for step, model in sorted(steps, key=lambda each: -each[0].after):
        yield _build_entry(history, model, step)


def _build_entry(history: History, model: ModelHistory, step: CostStep) -> _StepEntry:
    commit, diff = history.commits[step.after], step.diff
    (table,) = build_layer_change_tables([(model.name, diff)], everything=True, title="")
    layers = [layer or "the model itself" for layer in list_layers(step)]
    unit = format_cost_heading(find_convention(diff.after.convention))
    changed = [metric for metric in diff.after.metrics if diff.of(metric)]
    main = "total" if diff.of("total") else changed[0]
    name = unit if main == "total" else name_metric(main, diff.after)
    return _StepEntry(
        model=model.name,
        commit=name_commits(history.commits, step),
        date=commit.date,
        author=commit.author,
        subject=commit.subject,
        change=f"{format_signed(diff.of(main))} {name}",
        figures=tuple(
            (
                name_metric(metric, diff.after),
                format_value("count", diff.before.metric(metric)),
                format_value("count", diff.after.metric(metric)),
                _format_change(diff.of(metric), diff.before.metric(metric)),
            )
            for metric in changed
        ),
        layers=", ".join(layers[:3]) + (f" and {len(layers) - 3} more" if len(layers) > 3 else ""),
        table=Markup(render_fragment(table)),  # noqa: S704 - our own, escaped
        grows=diff.of(main) > 0,
    )


def _format_change(change: int, whole: int) -> str:
    return (
        f"{format_signed(change)} ({format_signed_share(change / whole)})" if whole else format_signed(change)
    )
