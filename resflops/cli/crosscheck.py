"""``resflops crosscheck``: run other counters on models, and explain their figures."""

import argparse
from collections.abc import Callable, Iterator

from resflops.cli.arguments import add_input, add_output, make_number_reader
from resflops.cli.models_argument import add_models, require_models
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.progress import announce_torch, progress
from resflops.cli.status import CHECK_FAILED, DONE, INTERRUPTED
from resflops.cli.streams import warn
from resflops.counters import PEERS, TIME_LIMIT, Peer, find_peer
from resflops.crosschecking.reconciliation import CrossCheck, Reconciliation
from resflops.errors import ModelError, ResflopsError, UsageError
from resflops.sources import SelectedModel, find, select_models
from resflops.tables.crosscheck import build_crosscheck_table
from resflops.tables.table import Note

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    add_models(
        parser,
        text="the models, such as resnet34 vgg19 torchvision/vit_b_16, or in quotes a pattern",
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        action="extend",
        metavar="NAME",
        # The name in the peer's own spelling: find_peer accepts it in upper or lower case.
        type=lambda name: find_peer(name).name,
        help=f"the counters to run, of {', '.join(PEERS)}; all that are installed if not given",
    )
    parser.add_argument(
        "--layers", action="store_true", help="also show what every layer contributes to each difference"
    )
    parser.add_argument(
        "--time-limit",
        metavar="SECONDS",
        type=make_number_reader("--time-limit"),
        default=TIME_LIMIT,
        help=f"how long a counter may take for one model; {TIME_LIMIT} if not given",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 if a counter gave no figure, or one that is not explained to the last operation",
    )
    add_input(parser)
    add_output(parser)


def _run(args: argparse.Namespace) -> int:
    specs = require_models(args, purpose="to run peers on")
    rows: list[Reconciliation] = []
    interrupted = False
    with progress(shown=not args.no_progress) as say:
        selected = select_models(specs, check=lambda spec: find(spec).resolve_inputs(args.input), say=say)
        announce_torch(say)
        from resflops.crosschecking import describe_platform, select_peers

        peers = select_peers(args.peers)
        try:
            for one in selected:
                rows += _reconcile_or_say_why(one, peers, args, say)
        # Peers take minutes on a large model, so the figures of those that have run are still shown.
        except KeyboardInterrupt:
            if not any(row.figure is not None for row in rows):
                raise
            interrupted = True
    _check_some(rows)
    notes = [Note(text="Interrupted: not every peer has run.")] if interrupted else []
    check = CrossCheck(rows=tuple(rows), environment=describe_platform())
    write(build_crosscheck_table(check, layers=args.layers, notes=notes), args)
    if interrupted:
        return INTERRUPTED
    return _choose_status(rows, args)


def _reconcile_or_say_why(
    one: SelectedModel, peers: tuple[Peer, ...], args: argparse.Namespace, say: Callable[[str], None]
) -> Iterator[Reconciliation]:
    try:
        say(f"tracing {one.spec}")
        yield from _reconcile(one.spec, peers, args, say)
    except ResflopsError as error:
        if not one.by_pattern:
            raise
        for peer in peers:
            yield Reconciliation(
                model=one.spec, inputs=(), peer=peer.name, convention=peer.convention.name, failure=str(error)
            )


def _reconcile(
    spec: str, peers: tuple[Peer, ...], args: argparse.Namespace, say: Callable[[str], None]
) -> Iterator[Reconciliation]:
    from resflops.crosschecking import reconcile_model
    from resflops.sources.live_traces import trace_found
    from resflops.tracing.generators import fix_generators

    # The very model that a count takes: on meta, or with the weights on which its path depends.
    opened, _ = trace_found(find(spec), input_shape=args.input)
    # The peers are forked, so their forward passes begin with the same random numbers as ours.
    with fix_generators():
        yield from reconcile_model(
            opened.module,
            opened.args,
            opened.kwargs,
            peers=peers,
            spec=spec,
            seconds=args.time_limit,
            say=say,
        )


def _check_some(rows: list[Reconciliation]) -> None:
    """Refuse to show a table without any figure.

    Raises:
        UsageError: no peer is installed.
        ModelError: no peer gave a figure.
    """
    if any(row.figure is not None for row in rows):
        return
    if not rows:
        raise UsageError("no other counter is installed; pip install 'resflops[peers]', see resflops peers")
    first = rows[0]
    raise ModelError(
        f"no counter gave a figure; the first, {first.peer} on {first.model}: {first.failure}; "
        "resflops peers shows which of them are installed"
    )


def _choose_status(rows: list[Reconciliation], args: argparse.Namespace) -> int:
    unexplained = [f"{row.convention} on {row.model}" for row in rows if not row.explained]
    if not args.strict or not unexplained:
        return DONE
    warn(f"--strict: not explained to the last operation: {', '.join(unexplained)}")
    return CHECK_FAILED


COMMAND = Command(
    description="Runs other counters, each in a process of its own, and explains the difference between "
    "their figures and ours by named causes, until nothing is left over.",
    add_arguments=_add_arguments,
    run=_run,
)
