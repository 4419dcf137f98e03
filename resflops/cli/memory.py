"""``resflops memory``: say what memory models need at their peak, and whether they fit."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

from resflops.cli.arguments import add_output
from resflops.cli.arrange import Values
from resflops.cli.command_line import looks_like_model
from resflops.cli.failures import make_all_failed_error
from resflops.cli.inputs import add_input, list_inputs
from resflops.cli.models_argument import add_models, require_models
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.progress import announce_torch, progress
from resflops.cli.readers import make_number_reader
from resflops.cli.status import CHECK_FAILED, DONE, INTERRUPTED
from resflops.cli.streams import warn
from resflops.errors import ResflopsError, UsageError
from resflops.peak_memory.allocator import replay
from resflops.peak_memory.options import (
    ATTENTIONS,
    BLOCKS,
    DEVICES,
    DTYPES,
    LOSSES,
    OPTIMIZERS,
    Options,
    read_options,
)
from resflops.peak_memory.records import Memory
from resflops.peak_memory.sizes import read_size
from resflops.sources import select_models
from resflops.tables.memory import COLUMN_NAMES, MemoryEntry, build_memory_table

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    add_models(parser, text="the models, such as resnet34 vgg19, as resflops table takes them")
    add_input(parser)
    parser.add_argument(
        "--training",
        action="store_true",
        help="a step of training: forward, loss, backward, and the optimiser's step if there is one",
    )
    for name, known, text in (
        ("--optimizer", OPTIMIZERS, "the optimiser, whose state is there from the start"),
        ("--attention", ATTENTIONS, "the kernel of attention; what the device would take if not given"),
        ("--device", DEVICES, "whose kernels and allocator are assumed; cpu if not given"),
        ("--loss", LOSSES, "what the backward pass begins with; cross-entropy if not given"),
    ):
        parser.add_argument(name, metavar="NAME", help=f"{text}: {', '.join(known)}")
    parser.add_argument(
        "--dtype",
        "--precision",
        metavar="NAME",
        help=f"the type of weights and inputs: {', '.join(DTYPES)}, or short bf16, fp16",
    )
    parser.add_argument(
        "--autocast",
        action="store_true",
        help="keep weights and inputs in their type, and compute in that of --dtype by torch.autocast",
    )
    checkpointing = parser.add_argument(
        "--checkpointing",
        nargs="*",
        metavar="LAYER",
        help="layers whose forward pass runs again in the backward pass: paths, or patterns in quotes such "
        "as 'layer*.*'; the blocks that the model repeats if none is given",
    )
    parser.tell_values(checkpointing, Values(belong=lambda word: not looks_like_model(word)))
    parser.add_argument(
        "--fits",
        metavar="SIZE",
        type=partial(read_size, what="--fits"),
        help="find the largest batch that fits into this much memory: 24G or 24GiB (2³⁰), 24GB (10⁹)",
    )
    parser.add_argument(
        "--top",
        metavar="N",
        type=make_number_reader("--top"),
        default=10,
        help="how many layers of a single model to show; 10 if not given",
    )
    add_output(parser, columns=COLUMN_NAMES, decimals="--decimals")


def _run(args: argparse.Namespace) -> int:
    options = read_options(
        training=args.training,
        optimizer=args.optimizer,
        dtype=args.dtype,
        autocast=args.autocast,
        checkpointing=args.checkpointing if args.checkpointing != [] else BLOCKS,
        attention=args.attention,
        device=args.device,
        loss=args.loss,
    )
    if args.fits is not None and args.batch:
        raise UsageError("--fits looks for the batch; leave --batch out")
    specs = require_models(args, purpose="to measure")
    entries: list[MemoryEntry] = []
    status = DONE
    with progress(shown=not args.no_progress) as say:
        tasks = [(one, given) for one, given in product(select_models(specs, say=say), list_inputs(args))]
        announce_torch(say)
        for number, (one, given) in enumerate(tasks, start=1):
            say(f"running {one.name} on shapes ({number} of {len(tasks)})")
            try:
                if one.error is not None:
                    raise one.error
                entries.append(_measure(one.spec, one.name, options, args.fits, given.shape, given.batch))
            except ResflopsError as error:
                entries.append(MemoryEntry(model=one.name, reason=str(error)))
            except KeyboardInterrupt:
                if not any(entry.memory for entry in entries):
                    raise
                status = INTERRUPTED
                break
    failed = [entry for entry in entries if entry.memory is None]
    if len(failed) == len(entries):
        raise make_all_failed_error([entry.reason for entry in failed], by_pattern=False, verb="could be run")
    write(build_memory_table(entries, top=args.top), args)
    for entry in failed:
        warn(f"could not run {entry.model}: {entry.reason}")
    return status or (CHECK_FAILED if failed else DONE)


def _measure(
    spec: str,
    name: str,
    options: Options,
    limit: int | None,
    shape: Sequence[int] | None,
    batch: int | None,
) -> MemoryEntry:
    from resflops.sources.memory import fit_spec, measure_spec

    input_shape = None if shape is None else tuple(shape)
    if limit is None:
        memory = measure_spec(spec, options, input_shape=input_shape, batch=batch)
        return MemoryEntry(model=name, memory=memory)
    fit = fit_spec(spec, options, limit, input_shape=input_shape, weigh=_choose_weight(options))
    return MemoryEntry(model=name, memory=fit.memory, fit=fit)


def _choose_weight(options: Options) -> Callable[[Memory], int]:
    """Choose what of a memory must fit: on a GPU, the rounded blocks."""
    if options.device == "cuda":
        return lambda memory: replay(memory).allocated
    return lambda memory: memory.peak


COMMAND = Command(
    description="Says what memory models need at their peak, before anything is allocated: parameters, "
    "gradients, the optimiser's state, activations kept for the backward pass, temporary tensors; which "
    "layers hold it, and the largest batch that fits.",
    add_arguments=_add_arguments,
    run=_run,
)
