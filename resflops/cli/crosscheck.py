"""``resflops crosscheck``: run other counters on models, and explain their figures."""

import argparse
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from resflops.cli.arguments import add_output
from resflops.cli.arrange import Values
from resflops.cli.command_line import looks_like_model
from resflops.cli.failures import make_all_failed_error
from resflops.cli.inputs import GivenInput, add_input, list_inputs
from resflops.cli.models_argument import add_models, require_models
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.progress import announce_torch, progress
from resflops.cli.readers import make_number_reader, split_list
from resflops.cli.status import CHECK_FAILED, DONE, INTERRUPTED
from resflops.cli.streams import warn
from resflops.counters import PEERS, TIME_LIMIT, Peer, find_peer
from resflops.crosschecking.reconciliation import CrossCheck, Reconciliation
from resflops.errors import ModelError, ResflopsError, UsageError
from resflops.sources import SelectedModel, find, select_models
from resflops.sources.batches import set_input
from resflops.sources.found_model import ReadRequest
from resflops.sources.model_files import is_graph_file
from resflops.tables.crosscheck import build_crosscheck_table, list_crosscheck_columns
from resflops.tables.table import Note

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    add_models(
        parser,
        text="the models, such as resnet34 vgg19 torchvision/vit_b_16, or in quotes a pattern",
    )
    peers = parser.add_argument(
        "--peers",
        nargs="+",
        metavar="NAME",
        # The name in the peer's own spelling: find_peer accepts it in upper or lower case.
        type=lambda name: find_peer(name).name,
        help=f"the counters to run, of {', '.join(PEERS)}; all that are installed if not given, and for an "
        "ONNX file those that take such files",
    )
    parser.tell_values(peers, Values(belong=lambda word: not looks_like_model(word), split=split_list))
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
    add_output(parser, columns=list_crosscheck_columns())


def _run(args: argparse.Namespace) -> int:
    models = require_models(args, purpose="to run peers on")
    rows: list[Reconciliation] = []
    interrupted = False
    with progress(shown=not args.no_progress) as say:
        selected = _check(select_models(models, say=say), args)
        graphs = [is_graph_file(one.spec) for one in selected]
        if not all(graphs):
            announce_torch(say)
        from resflops.crosschecking import describe_platform

        try:
            for one in selected:
                for given in list_inputs(args):
                    rows += _reconcile_or_say_why(one, given, args, say)
        # Peers take minutes on a large model, so the figures of those that have run are still shown.
        except KeyboardInterrupt:
            if not any(row.figure is not None for row in rows):
                raise
            interrupted = True
    _check_some(rows)
    notes = [Note(text="Interrupted: not every peer has run.")] if interrupted else []
    packages = (*([] if all(graphs) else ["torch"]), *(["onnx"] if any(graphs) else []))
    check = CrossCheck(rows=tuple(rows), environment=describe_platform(packages))
    specs = {
        _name(one, given, args): one.spec for one in selected for given in list_inputs(args) if one.label
    }
    write(build_crosscheck_table(check, layers=args.layers, notes=notes, specs=specs), args)
    if interrupted:
        return INTERRUPTED
    return _choose_status(rows, args, failed=_warn_of_failures(selected, rows, args))


def _check(selected: list[SelectedModel], args: argparse.Namespace) -> list[SelectedModel]:
    """Check the models that were named by themselves, before torch is loaded.

    Raises:
        ResflopsError: there is no model left to run peers on.
    """
    checked = []
    for one in selected:
        error = one.error
        if error is None and not one.by_pattern:
            try:
                found = find(one.spec)
                for given in list_inputs(args):
                    found.resolve_inputs(found.complete_shape(given.shape, given.batch))
            except ResflopsError as refused:
                error = refused
        checked.append(replace(one, error=error))
    if all(one.error for one in checked):
        raise make_all_failed_error(
            [str(one.error) for one in checked], by_pattern=False, verb="can be traced"
        )
    return checked


def _warn_of_failures(
    selected: list[SelectedModel], rows: list[Reconciliation], args: argparse.Namespace
) -> bool:
    """Say which models were named and could not be traced, and tell whether there are any."""
    traced = {row.model for row in rows if row.inputs}
    failed = [
        name
        for one in selected
        for name in (_name(one, given, args) for given in list_inputs(args))
        if not one.by_pattern and name not in traced
    ]
    if failed:
        warn(f"could not trace {', '.join(failed)}")
    return bool(failed)


def _name(one: SelectedModel, given: GivenInput, args: argparse.Namespace) -> str:
    """Name a model with its input if there are several: every table tells models apart by name."""
    return f"{one.name} ({given.describe()})" if len(list_inputs(args)) > 1 else one.name


def _reconcile_or_say_why(
    one: SelectedModel,
    given: GivenInput,
    args: argparse.Namespace,
    say: Callable[[str], None],
) -> Iterator[Reconciliation]:
    from resflops.crosschecking import select_peers

    name, is_graph = _name(one, given, args), is_graph_file(one.spec)
    peers = select_peers(args.peers, takes="onnx" if is_graph else "modules")
    try:
        if one.error:
            raise one.error
        say(f"{'reading' if is_graph else 'tracing'} {name}")
        reconcile = _reconcile_graph_file if is_graph else _reconcile_module
        yield from reconcile(one.spec, name, given, peers, args, say)
    except ResflopsError as error:
        for peer in peers:
            yield Reconciliation(
                model=name, inputs=(), peer=peer.name, convention=peer.convention.name, failure=str(error)
            )


def _reconcile_module(
    spec: str,
    name: str,
    given: GivenInput,
    peers: tuple[Peer, ...],
    args: argparse.Namespace,
    say: Callable[[str], None],
) -> Iterator[Reconciliation]:
    from resflops.crosschecking import reconcile_model
    from resflops.sources.input_hints import explain_input
    from resflops.sources.live_traces import trace_found
    from resflops.tracing.generators import fix_generators

    # The very model that a count takes: on meta, or with the weights on which its path depends.
    found, shape = set_input(find(spec), given.shape, given.batch)
    with explain_input(found, shape):
        opened, _ = trace_found(found, input_shape=shape)
    # The peers are forked, so their forward passes begin with the same random numbers as ours.
    with fix_generators():
        yield from reconcile_model(
            opened.module,
            opened.args,
            opened.kwargs,
            peers=peers,
            spec=name,
            seconds=args.time_limit,
            say=say,
        )


def _reconcile_graph_file(
    spec: str,
    name: str,
    given: GivenInput,
    peers: tuple[Peer, ...],
    args: argparse.Namespace,
    say: Callable[[str], None],
) -> Iterator[Reconciliation]:
    from resflops.crosschecking import reconcile_graph_file

    found, shape = set_input(find(spec), given.shape, given.batch)
    assert found.read is not None  # noqa: S101 - an ONNX file is read
    traced = found.read(ReadRequest(inputs=found.complete_inputs(shape)))
    yield from reconcile_graph_file(found, traced, peers=peers, spec=name, seconds=args.time_limit, say=say)


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


def _choose_status(rows: list[Reconciliation], args: argparse.Namespace, *, failed: bool) -> int:
    unexplained = [f"{row.convention} on {row.model}" for row in rows if not row.explained]
    if not args.strict or not unexplained:
        return CHECK_FAILED if failed else DONE
    warn(f"--strict: not explained to the last operation: {', '.join(unexplained)}")
    return CHECK_FAILED


COMMAND = Command(
    description="Runs other counters, each in a process of its own, and explains the difference between "
    "their figures and ours by named causes, until nothing is left over.",
    add_arguments=_add_arguments,
    run=_run,
)
