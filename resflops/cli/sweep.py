"""``resflops sweep``: count many models on many inputs into one file, resumable and in parallel."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resflops.cli.arguments import add_fresh, require_writable
from resflops.cli.inputs import add_input, list_inputs
from resflops.cli.models_argument import add_models
from resflops.cli.parser import Command, Parser
from resflops.cli.progress import progress
from resflops.cli.readers import make_number_reader
from resflops.cli.status import CHECK_FAILED, DONE, INTERRUPTED
from resflops.cli.streams import warn, write_output
from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.errors import FileError, UsageError, pluralize
from resflops.peak_memory.options import DTYPES, read_options
from resflops.sweeps.cases import Limits, SweepOptions
from resflops.sweeps.files import ENDINGS, check_file
from resflops.sweeps.sweep import SweepRequest, SweepResult, name_journal, run_sweep

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    add_models(
        parser,
        text="the models: specs, patterns in quotes such as 'timm/*', or a search space of your own, such as "
        "space.py:candidates, a function that gives specs, functions that make a model, or modules",
    )
    parser.add_argument(
        "--from",
        dest="lists",
        metavar="FILE",
        nargs="+",
        default=[],
        type=_read_list,
        help="files with a model on each line; what follows a # is a comment",
    )
    add_input(parser)
    parser.add_argument(
        "--convention",
        metavar="NAME",
        nargs="+",
        type=find_convention,
        help=f"the conventions, each a column; {DEFAULT_CONVENTION} if none is given; "
        "resflops conventions lists them",
    )
    parser.add_argument("--training", action="store_true", help="also count the backward pass")
    parser.add_argument(
        "--memory", action="store_true", help="also work out the memory at its peak, as resflops memory does"
    )
    parser.add_argument(
        "--dtype",
        metavar="NAME",
        help=f"the type of weights and inputs: {', '.join(DTYPES)}; the model's own if not given",
    )
    add_fresh(parser)
    parser.add_argument(
        "-o",
        "--out",
        dest="file",
        metavar="FILE",
        type=require_writable,
        help=f"the file to write, which ends in {', '.join(ENDINGS)}; FILE.sweep beside it has what is done",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with a sweep that was stopped, however it was"
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="go on, and count those again that failed"
    )
    parser.add_argument(
        "--restart", action="store_true", help="drop what an earlier sweep has left, and start again"
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=make_number_reader("--workers"),
        help="how many models are counted at a time; as many as there are cores if not given",
    )
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="count on the workers of a Dask cluster, such as tcp://10.0.0.1:8786",
    )
    parser.add_argument(
        "--time-limit",
        metavar="SECONDS",
        type=make_number_reader("--time-limit"),
        default=600,
        help="after how long a model is given up; 600 if not given",
    )
    parser.add_argument(
        "--memory-limit",
        metavar="GB",
        type=make_number_reader("--memory-limit"),
        help="how much memory the process of a model may take; all of this machine's if not given",
    )


def _read_list(path: str) -> list[str]:
    """Read the models of a file.

    Raises:
        FileError: it cannot be read.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"could not read {path}: {error}; give a text file with a model on each line"
        ) from error
    return [model for line in lines if (model := line.partition("#")[0].strip())]


def _run(args: argparse.Namespace) -> int:
    models = [*args.models, *(model for each in args.lists for model in each)]
    if not models:
        raise UsageError(
            "no models are given; name what to sweep over, such as 'timm/resnet*', or a file --from"
        )
    if not args.file:
        raise UsageError("no file is given; say what to write with --out, as in --out zoo.csv or zoo.parquet")
    out = Path(args.file)
    check_file(out)
    conventions = args.convention or [find_convention(DEFAULT_CONVENTION)]
    with progress(shown=not args.no_progress) as say, _open_executor(args.dask) as executor:
        result = run_sweep(
            SweepRequest(
                models=models,
                inputs=tuple((each.shape, each.batch) for each in list_inputs(args)),
                options=SweepOptions(
                    conventions=tuple(dict.fromkeys(each.name for each in conventions)),
                    training=args.training,
                    memory=args.memory,
                    dtype=read_options(dtype=args.dtype).dtype or None,
                    fresh=args.fresh,
                ),
                limits=Limits(
                    seconds=float(args.time_limit),
                    memory=args.memory_limit * 10**9 if args.memory_limit else None,
                ),
                workers=args.workers,
                executor=executor,
                out=out,
                resume=args.resume,
                retry_failed=args.retry_failed,
                restart=args.restart,
            ),
            say=say,
        )
    return _report(result, out)


def format_seconds(seconds: float) -> str:
    """Write a duration for people."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


@contextmanager
def _open_executor(address: str | None) -> Iterator[Any]:
    """Open the executor of a Dask cluster; None stands for processes on this machine.

    Raises:
        UsageError: Dask is not installed, or there is no such cluster.
    """
    if not address:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise UsageError(
            "--dask needs the package distributed; pip install 'resflops[dask]' brings it"
        ) from None
    try:
        client = Client(address, timeout=5)  # type: ignore[no-untyped-call, unused-ignore]
    except (OSError, ValueError) as error:
        raise UsageError(f"--dask {address}: there is no scheduler that answers: {error}") from error
    with client:
        if not client.nthreads():  # type: ignore[no-untyped-call, unused-ignore]
            raise UsageError(
                f"--dask {address}: the cluster has no workers; start some with dask worker {address}"
            )
        yield client.get_executor(pure=False)  # type: ignore[no-untyped-call, unused-ignore]


def _report(result: SweepResult, out: Path) -> int:
    """Say what was counted, and choose the exit status."""
    summary = result.summarize()
    result.journal.close()
    failed = sum(summary.failures.values())
    rate = result.counted / max(result.seconds, 1e-6)
    rows = f"{out}: {summary.rows:,} {pluralize('row', summary.rows)}, {summary.rows - failed:,} with figures"
    lines = [
        f"{rows}, {failed:,} failed" if failed else rows,
        f"counted now: {result.counted:,} in {format_seconds(result.seconds)}, {rate:,.1f} a second with "
        f"{result.workers} {pluralize('worker', result.workers)}",
    ]
    if failed:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in summary.failures.items())
        lines.append(
            f"failed: {kinds}; the columns failure and reason say why, --retry-failed counts them again"
        )
    if summary.incomplete:
        lines.append(f"lower bounds, for want of rules: {summary.incomplete:,}; see the column uncounted")
    if summary.slowest:
        slowest = ", ".join(f"{label} {format_seconds(seconds)}" for label, seconds in summary.slowest)
        lines.append(f"slowest: {slowest}")
    write_output("".join(f"{line}\n" for line in lines))
    for label, reason in result.named_failures:
        warn(f"could not count {label}: {reason}")
    if result.interrupted:
        warn(f"interrupted; {name_journal(out)} has what is done, and --resume goes on with it")
        return INTERRUPTED
    if not failed:
        # Nothing is left to do for it.
        Path(name_journal(out)).unlink(missing_ok=True)
    return CHECK_FAILED if result.named_failures else DONE


COMMAND = Command(
    description="Counts every model on every input, a row each, into one file: CSV, Parquet, JSON lines or "
    "SQLite. A model that fails, hangs or takes too much memory is a row that says so. What is done is on "
    "the disk at once: a sweep that was stopped, even by kill -9, goes on with --resume, and its file is "
    "then the same as without the stop.",
    add_arguments=_add_arguments,
    run=_run,
)
