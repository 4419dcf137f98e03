"""``resflops memory``: say what memory models need at their peak, and whether they fit."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import PurePath

from msgspec.structs import replace

from resflops.cli.failures import make_all_failed_error, warn_of_failures
from resflops.cli.inputs import GivenInput, list_inputs
from resflops.cli.memory_options import add_arguments
from resflops.cli.models_argument import require_models
from resflops.cli.output import write
from resflops.cli.parser import Command
from resflops.cli.progress import announce_torch, progress
from resflops.cli.status import CHECK_FAILED, DONE, INTERRUPTED
from resflops.errors import ModelError, ResflopsError, UsageError
from resflops.peak_memory.allocator import replay
from resflops.peak_memory.fitting import Fit, fit_batch
from resflops.peak_memory.options import BLOCKS, Options, read_options
from resflops.peak_memory.records import Memory
from resflops.peak_memory.sizes import format_size
from resflops.sources import SelectedModel, select_models
from resflops.sources.steps import Step
from resflops.storage.writing import write_bytes, write_text
from resflops.tables.memory import MemoryEntry, build_memory_table
from resflops.tables.memory_notes import describe_way

__all__ = ["COMMAND"]

Say = Callable[[str], None]


def _run(args: argparse.Namespace) -> int:
    options = _read_options(args)
    specs = require_models(args, purpose="to run")
    entries: list[MemoryEntry] = []
    with progress(shown=not args.no_progress) as say:
        tasks = list(product(select_models(specs, say=say), list_inputs(args)))
        _check_files(args, len(tasks))
        if not args.from_trace:
            announce_torch(say)
        try:
            for number, (model, given) in enumerate(tasks, start=1):
                say(Step(_say_running(model.name, args), number, of=len(tasks)))
                entries.append(_measure(model, given, options, args, say))
        except KeyboardInterrupt:
            if not any(entry.memory for entry in entries):
                raise
        _check_some(entries, by_pattern=any(model.by_pattern for model, _ in tasks))
        left = len(tasks) - len(entries)
        _write_files(entries, args, say)
    write(build_memory_table(entries, top=args.top, limit=args.fits, left=left), args)
    failed = {entry.model: entry.reason for entry in entries if _has_failed(entry)}
    warn_of_failures(failed, args, verb="run")
    return INTERRUPTED if left else _choose_status(entries)


def _read_options(args: argparse.Namespace) -> Options:
    if args.fits is not None and args.batch:
        raise UsageError("--fits looks for the batch; leave out --batch")
    if args.loss is not None and not args.training:
        raise UsageError("loss is part of a training step; add --training")
    return read_options(
        training=args.training,
        optimizer=args.optimizer,
        dtype=args.dtype,
        autocast=args.autocast,
        checkpointing=args.checkpointing if args.checkpointing != [] else BLOCKS,
        attention=args.attention,
        device=args.device,
        loss=args.loss,
    )


def _check_files(args: argparse.Namespace, models: int) -> None:
    """Refuse files that are about one model where several are given, before any is run."""
    for option in ("picture", "html", "save"):
        if getattr(args, option) and models > 1:
            raise UsageError(f"--{option} is for one model on one input, got {models}; name one")


def _measure(
    model: SelectedModel, given: GivenInput, options: Options, args: argparse.Namespace, say: Say
) -> MemoryEntry:
    """Measure one model on one input; what goes wrong with it is the reason that its row shows."""
    row = MemoryEntry(model=model.name, spec=model.spec, by_pattern=model.by_pattern, given=given.describe())
    measure = _find_measure(args)
    try:
        if model.error is not None:
            raise model.error
        if args.fits is None:
            memory = measure(model.spec, options, input_shape=given.shape, batch=given.batch)
            return replace(row, memory=memory)
        fit = _fit(row, partial(measure, model.spec, options, input_shape=given.shape), options, args, say)
        return replace(row, memory=fit.memory, fit=fit)
    except ResflopsError as error:
        return replace(row, reason=str(error))


def _say_running(model: str, args: argparse.Namespace) -> str:
    return f"working out {model} from its trace" if args.from_trace else f"running {model} on shapes"


def _find_measure(args: argparse.Namespace) -> Callable[..., Memory]:
    if args.from_trace:
        from resflops.sources.memory_estimates import estimate_spec

        return estimate_spec
    # Here, because it loads torch.
    from resflops.sources.memory import measure_spec

    return measure_spec


def _fit(
    row: MemoryEntry, measure: Callable[..., Memory], options: Options, args: argparse.Namespace, say: Say
) -> Fit:
    """Find the largest batch that fits.

    Raises:
        ModelError: the weights alone do not fit.
    """

    def run(batch: int) -> Memory:
        say(f"{_say_running(row.model, args)}, batch {batch:,}")
        return measure(batch=batch)

    fit = fit_batch(run, args.fits, weigh=_choose_weight(options))
    if fit.memory.weights > args.fits:
        raise ModelError(
            f"{row.model} does not fit into {format_size(args.fits)}: its weights alone take "
            f"{format_size(fit.memory.weights)}, and a batch of 1 needs {format_size(fit.needs)}"
        )
    return fit


def _choose_weight(options: Options) -> Callable[[Memory], int]:
    """Choose what of a memory must fit: on a GPU, the rounded blocks."""
    if options.device == "cuda":
        return lambda memory: replay(memory).allocated
    return lambda memory: memory.peak


def _check_some(entries: Sequence[MemoryEntry], *, by_pattern: bool) -> None:
    """Raise an error if not one model could be run.

    Raises:
        ModelError: the reasons.
    """
    reasons = [entry.reason for entry in entries if entry.memory is None]
    if len(reasons) == len(entries):
        raise make_all_failed_error(reasons, by_pattern=by_pattern, verb="could be run")


def _write_files(entries: Sequence[MemoryEntry], args: argparse.Namespace, say: Say) -> None:
    """Write what was asked for of the one model."""
    for memory in (entry.memory for entry in entries if entry.memory is not None):
        if args.save:
            memory.save(args.save)
        if args.picture:
            say("drawing")
            # Here, because matplotlib takes long to import.
            from resflops.report.pictures.memory import draw_file

            ending = PurePath(args.picture).suffix.lower()
            write_bytes(args.picture, draw_file(memory, way=describe_way(memory), ending=ending))
        if args.html:
            # Here, because it loads jinja2, which is not needed before there is something to show.
            from resflops.report.memory_page import render_memory_page

            write_text(args.html, render_memory_page(memory))


def _has_failed(entry: MemoryEntry) -> bool:
    return entry.memory is None and not entry.by_pattern


def _choose_status(entries: Sequence[MemoryEntry]) -> int:
    """Choose the exit status: a model that fails, or that fits at no batch, is a failed check."""
    nothing_fits = any(entry.fit is not None and not entry.fit.batch for entry in entries)
    return CHECK_FAILED if nothing_fits or any(map(_has_failed, entries)) else DONE


COMMAND = Command(
    description="Says what memory models need at their peak, in inference or in a step of training, before "
    "anything is allocated: parameters, gradients, the optimiser's state, activations kept for the backward "
    "pass, temporary tensors. Of one model, also the op and the layer at the peak, and the layers that hold "
    "the most. With --fits, the largest batch that fits.",
    add_arguments=add_arguments,
    run=_run,
)
