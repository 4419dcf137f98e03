"""A bar on standard error with elapsed and remaining time, for work of many steps.

It is drawn when a step begins and never in between: a thread that draws would disturb what is being timed,
and would not survive a fork.
"""

import os
from typing import TYPE_CHECKING, TextIO

from resflops.errors import escape_control_characters
from resflops.sources.steps import Step

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["ProgressBar"]


class ProgressBar:
    """The bar; it appears with the first step that it is told of."""

    def __init__(self, stream: TextIO, *, started: float) -> None:
        """Prepare a bar.

        Args:
            stream: the terminal.
            started: when the work began, on the clock of ``time.monotonic``.
        """
        self._stream = stream
        self._started = started
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is on the screen."""
        return self._bar is not None

    def show(self, step: Step) -> None:
        """Show a step that begins."""
        what = escape_control_characters(step.what)
        if self._bar is None or self._task is None:
            self._bar, self._task = _open_bar(self._stream, self._started, step.total)
        self._bar.update(self._task, completed=step.number - 1, total=step.total, what=what)
        self._bar.refresh()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None


def _open_bar(stream: TextIO, started: float, total: int) -> "tuple[Progress, TaskID]":
    # Here, because a command that is done in less than a second should not pay for it.
    from time import monotonic

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    console = Console(
        file=stream,
        force_terminal=True,
        no_color=bool(os.environ.get("NO_COLOR")),
        # Nothing of a model's name is markup or a number to highlight.
        highlight=False,
        markup=False,
    )
    bar = Progress(
        TextColumn("resflops: {task.fields[what]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left", style="dim"),
        TimeRemainingColumn(),
        console=console,
        auto_refresh=False,
        transient=True,
        expand=True,
        redirect_stdout=False,
        redirect_stderr=False,
        get_time=monotonic,
    )
    task = bar.add_task("", total=total, what="", start=False)
    bar.start_task(task)
    # What went before, such as loading torch, is part of what the user has waited for.
    bar.tasks[0].start_time = started
    bar.start()
    return bar, task
