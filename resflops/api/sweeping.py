"""The public function that counts many models."""

import os
from collections.abc import Iterable, Iterator, Sequence
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resflops.cost.convention import find_convention
from resflops.errors import InputError, UsageError, pluralize
from resflops.peak_memory.options import read_options
from resflops.records import Shape
from resflops.sweeps.cases import Limits, SweepOptions
from resflops.sweeps.files import check_file
from resflops.sweeps.journal import JournalSummary
from resflops.sweeps.sweep import SweepRequest, SweepResult, list_rows, run_sweep

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Sweep", "sweep"]


class Sweep:
    """What many models cost: a row for each model on each input."""

    def __init__(self, result: SweepResult) -> None:
        self._result = result

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """List the rows in the order of the models, each by the names of its columns."""
        return iter(list_rows(self._result))

    def __len__(self) -> int:
        """How many rows there are."""
        return self.summary.rows

    def __repr__(self) -> str:
        """Say how many rows there are, and how many have no figures."""
        summary = self.summary
        failed = sum(summary.failures.values())
        return f"Sweep({summary.rows:,} {pluralize('row', summary.rows)}, {failed:,} failed)"

    @property
    def summary(self) -> JournalSummary:
        """How many rows there are, how many failed by the kind of error, and which took the longest."""
        return self._result.summarize()

    @property
    def seconds(self) -> float:
        """How long this run took."""
        return self._result.seconds

    @property
    def counted(self) -> int:
        """How many models on an input this run has counted, rather than one before."""
        return self._result.counted

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed before it was done."""
        return self._result.interrupted

    def to_pandas(self) -> "pd.DataFrame":
        """Give the rows as a table of pandas; integers that are unknown are ``<NA>``."""
        import pandas as pd

        columns = self._result.columns
        frame = pd.DataFrame(list(self), columns=[column.name for column in columns])
        kinds = {"integer": "Int64", "boolean": "boolean", "text": "string"}
        return frame.astype({column.name: kinds[column.kind] for column in columns})


def _read_shape(given: Any) -> Shape:  # noqa: ANN401 - what a caller gives
    """Read a shape, whose sizes may be integers of numpy.

    Raises:
        InputError: it is none.
    """
    try:
        shape = tuple(index(size) for size in given)
    except TypeError:
        shape = ()
    if not shape or min(shape) < 1:
        raise InputError(f"inputs must be shapes such as (3, 224, 224), got {given!r}")
    return shape


def sweep(
    models: "str | Iterable[Any]",
    *,
    inputs: Sequence[Shape] | None = None,
    batches: Sequence[int] | None = None,
    conventions: Sequence[str] = ("macs",),
    training: bool = False,
    memory: bool = False,
    dtype: str | None = None,
    fresh: bool = False,
    workers: int | None = None,
    executor: Any = None,  # noqa: ANN401 - anything with submit()
    time_limit: float = 600.0,
    memory_limit: int | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    restart: bool = False,
) -> Sweep:
    """Count every model on every input, in parallel, in processes that can be ended without harm.

    A model that fails, hangs or takes too much memory is a row that says so.

    >>> import resflops
    >>> zoo = resflops.sweep(["resnet18", "resnet34"], inputs=[(3, 224, 224), (3, 288, 288)], workers=1)
    >>> [row["macs"] for row in zoo]
    [1814073344, 2998439936, 3663761408, 6056087552]

    Args:
        models: specs and patterns such as ``timm/*``; modules, functions without arguments that make one, and
            pairs of a name and any of these. An iterator is gone through only as far as models are counted,
            so it may give millions. A function is made a model by the process that counts it, which takes
            less than a module that was made here.
        inputs: shapes of the main input, with the batch in front or without; the usual ones if not given.
        batches: how many inputs at once, in place of the batch of the shape.
        conventions: each is a column, ``macs`` in any case.
        training: whether to count the backward pass as well.
        memory: whether to work out the peak of memory; with ``training`` that of a step, too.
        dtype: the type to convert floating-point parameters and inputs to, such as ``float16``; it is then a
            column, too.
        fresh: whether to trace models even if traces of them are stored.
        workers: how many models are counted at a time; by default as many as there are cores, or as the
            executor has workers where it says so.
        executor: where to count, in place of processes here: any ``concurrent.futures.Executor``, such as
            ``client.get_executor()`` of Dask, or what has ``submit`` and gives futures that have ``done`` and
            ``result``.
        time_limit: seconds after which a model is given up.
        memory_limit: bytes that the process of a model may take.
        out: the file to write as well, which ends in .csv, .parquet, .jsonl or .sqlite.
        resume: whether to go on with a sweep to the same file that was stopped, however it was.
        retry_failed: as ``resume``, and those that failed are counted again.
        restart: whether to drop what an earlier sweep to the same file has left.

    Raises:
        UsageError: something is no model, or an earlier sweep to the file was left unfinished.
        InputError: a shape that no tensor can have.
        FileError: the file cannot be written.
    """
    if out is not None:
        check_file(Path(out))
    elif resume or retry_failed:
        raise UsageError("resume goes on with a sweep that was written to a file; give it as out=")
    shapes = [_read_shape(shape) for shape in inputs] if inputs else [None]
    sizes = list(_read_shape(batches)) if batches else [None]
    options = SweepOptions(
        conventions=tuple(dict.fromkeys(find_convention(name).name for name in conventions)),
        training=training,
        memory=memory,
        dtype=read_options(dtype=dtype).dtype or None,
        fresh=fresh,
    )
    return Sweep(
        run_sweep(
            SweepRequest(
                models=models,
                inputs=tuple((shape, batch) for shape in shapes for batch in sizes),
                options=options,
                limits=Limits(seconds=time_limit, memory=memory_limit),
                workers=workers,
                executor=executor,
                out=None if out is None else Path(out),
                resume=resume,
                retry_failed=retry_failed,
                restart=restart,
            )
        )
    )
