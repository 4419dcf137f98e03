"""``resflops diff``: show in which layers two models, lock files, traces or git revisions differ."""

import argparse
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from resflops.cli.arguments import add_model_input, add_output
from resflops.cli.counting import count_model
from resflops.cli.gating import add_config, find_config_path
from resflops.cli.inputs import require_one_input
from resflops.cli.models_argument import add_models_option
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.progress import progress
from resflops.cli.status import DONE
from resflops.cost import Cost, price
from resflops.errors import FileError, UsageError
from resflops.gate.diff import Diff, diff_snapshots
from resflops.gate.git import find_repository
from resflops.gate.held_memory import estimate_held
from resflops.gate.lockfile import is_lock, read_lock
from resflops.gate.revisions import name_revision, parse_revisions, snapshot_revision
from resflops.gate.snapshot import MEMORY_METRICS, Metric, Snapshot, snapshot_cost
from resflops.records import Trace
from resflops.sources.model_files import holds_model
from resflops.sources.registry import SOURCES
from resflops.storage import read_kind
from resflops.tables import Figure, Note
from resflops.tables.difference import build_diff_table

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "things",
        metavar="A B",
        nargs="*",
        help="two of: a model spec, a lock file, a saved trace or cost; with --rev the models to compare, "
        "by their names in the configuration or by their specs, or all configured models if none is named",
    )
    add_models_option(parser)
    parser.add_argument(
        "--rev",
        metavar="A[..B]",
        help="compare two git revisions, such as main..HEAD, or one with the work tree, such as HEAD~1; "
        "A...B begins where B branched off from A. "
        "Each is checked out into a folder of its own and counted in a process of its own",
    )
    parser.add_argument("--all", action="store_true", help="show every changed layer")
    parser.add_argument(
        "--memory",
        action="store_true",
        help="also show the memory of inference and of training at its peak, and which layers hold more "
        "of it; of lock files that have it, it is shown in any case",
    )
    add_config(parser)
    add_model_input(parser)
    add_output(parser)


def _run(args: argparse.Namespace) -> int:
    diffs, notes = _diff_revisions(args) if args.rev is not None else (_diff_two(args), [])
    write(build_diff_table(diffs, notes=notes, everything=args.all), args)
    return DONE


def _diff_two(args: argparse.Namespace) -> list[Diff]:
    if len(args.things) != 2:
        raise UsageError(
            f"diff compares two things, got {len(args.things)}; name two specs, lock files or traces, "
            "or git revisions with --rev main..HEAD or --rev HEAD~1"
        )
    before, after = (_read_snapshots(thing, args) for thing in args.things)
    # Two single models are compared whatever their names are: they are usually different specs.
    if len(before) == len(after) == 1:
        return [diff_snapshots(*before.values(), *after.values())]
    return _diff_pairs(before, after, args.things)


def _diff_pairs(before: dict[str, Snapshot], after: dict[str, Snapshot], names: list[str]) -> list[Diff]:
    """Compare the models of the same name; one that only one side has is compared with nothing.

    Raises:
        UsageError: the two sides have no model in common.
    """
    if not before.keys() & after.keys():
        raise UsageError(
            f"{names[0]} has {', '.join(before)} and {names[1]} has {', '.join(after)}: no model in common"
        )
    return [
        diff_snapshots(
            before.get(name) or _without_lines(after[name]), after.get(name) or _without_lines(before[name])
        )
        for name in {**before, **after}
    ]


def _without_lines(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, lines=(), memory=())


def _read_snapshots(thing: str, args: argparse.Namespace) -> dict[str, Snapshot]:
    """Read one of the two things: one model for a spec, a trace or a cost, all models of a lock file.

    Raises:
        FileError: there is no such file, or it cannot be read.
        UsageError: the file is of another kind.
        ResflopsError: the model cannot be counted.
    """
    if not Path(thing).is_file() or holds_model(thing):
        # A file that was mistyped is the likelier mistake than a model of that name.
        if Path(thing).suffix in {".json", ".lock"} and thing.partition("/")[0] not in SOURCES:
            raise FileError(f"there is no file {thing}; name a lock file, a saved trace or cost, or a model")
        counted = count_model(thing, args)
        snapshot = snapshot_cost(
            counted.cost,
            stored=counted.stored,
            memory=estimate_held(counted.cost.trace, _list_peaks(args)),
        )
        return {snapshot.model: snapshot}
    kind = read_kind(thing)
    if kind in {"cost", "trace"}:
        cost = (
            Cost.load(thing).under(args.convention.name)
            if kind == "cost"
            else price(Trace.load(thing), args.convention)
        )
        return {cost.model: snapshot_cost(cost, memory=estimate_held(cost.trace, _list_peaks(args)))}
    if kind or not is_lock(thing):
        if not kind and Path(thing).suffix == ".json":
            # It says what is wrong with the file, where read_kind has only found that something is.
            Trace.load(thing)
        actual_kind = f", but a {kind} file" if kind else ""
        raise UsageError(
            f"{thing} is not a lock file, a saved trace or a saved cost{actual_kind}; "
            "a model in a Python file is named as in nets.py:factory"
        )
    return dict(read_lock(thing).snapshots)


def _list_peaks(args: argparse.Namespace) -> tuple[Metric, ...]:
    return MEMORY_METRICS if args.memory else ()


def _diff_revisions(args: argparse.Namespace) -> tuple[list[Diff], list[Note]]:
    config = find_config_path(args, args.things)
    repository = find_repository(config.parent)
    commits = parse_revisions(args.rev, repository)
    with progress(shown=not args.no_progress) as say:
        before, after = (_snapshot_revision(commit, repository, config, args, say) for commit in commits)
    names = [name_revision(commit, repository) for commit in commits]
    figures = dict(zip(("before", "after"), (Figure("text", name) for name in names), strict=True))
    return _diff_pairs(before, after, names), [Note(text="From {before} to {after}.", figures=figures)]


def _snapshot_revision(
    commit: str, repository: Path, config: Path, args: argparse.Namespace, say: Callable[[str], None]
) -> dict[str, Snapshot]:
    say(f"counting at {commit[:9]}" if commit else "counting the work tree")
    given = require_one_input(args)
    return snapshot_revision(
        commit,
        repository=repository,
        config=config,
        models=args.things,
        input_shape=given.shape,
        batch=given.batch,
        convention=args.convention.name,
        fresh=args.fresh,
        memory=args.memory,
    )


COMMAND = Command(
    description="Compares two model specs, lock files or saved traces, or with --rev the models at two git "
    "revisions, or at one and in the work tree, layer by layer. "
    "Lists the layers that were added, removed, changed, moved or renamed, "
    "the largest change first. --input and --convention apply to models given by their specs.",
    add_arguments=_add_arguments,
    run=_run,
)
