"""``resflops lock``: lock what the models cost now."""

import argparse
import sys

from resflops.cli.command import Command, Parser
from resflops.cli.gating import add_models, load_config, snapshot_models
from resflops.cli.output import say
from resflops.cli.status import CHECK_FAILED, DONE
from resflops.gate.config import Config
from resflops.gate.lockfile import Lock, is_up_to_date, read_lock, renew_lock, write_lock
from resflops.gate.paths import shorten_path
from resflops.gate.snapshot import Snapshot
from resflops.render.formats import format_note
from resflops.storage import check_writable
from resflops.tables import note_locked, note_snapshot

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    add_models(parser)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 if the lock file is out of date",
    )


def _run(args: argparse.Namespace) -> int:
    config = load_config(args)
    models = config.choose(args.models)
    # A folder that cannot be written to is reported before the models are counted.
    check_writable(config.lock)
    # A damaged lock file is reported before anything is counted, and is not overwritten.
    old = read_lock(config.lock) if args.check or config.lock.exists() else None
    snapshots = snapshot_models(models, config, args)
    from resflops.gate.counting import name_versions

    kept = [
        snapshot for snapshot in (old.snapshots.values() if old else ()) if _is_kept(snapshot, config, args)
    ]
    new = renew_lock([*kept, *snapshots], old=old, made_by=name_versions())
    if args.check:
        return _check(config, old, new)
    changed = write_lock(config.lock, new)
    _report(config, old, new, changed=changed)
    for note in (note for snapshot in snapshots for note in note_snapshot(snapshot)):
        sys.stderr.write(f"resflops: {format_note(note)}\n")
    return DONE


def _is_kept(snapshot: Snapshot, config: Config, args: argparse.Namespace) -> bool:
    """Whether a locked model is kept as it is: neither counted again nor dropped."""
    # If no models are named, all of them are counted, and a locked model that is not among them is dropped.
    return bool(args.models) and snapshot.model in config.models and snapshot.model not in args.models


def _check(config: Config, old: Lock | None, new: Lock) -> int:
    path = shorten_path(config.lock)
    if is_up_to_date(config.lock, new):
        say(f"{path} is up to date")
        return DONE
    before = old.snapshots if old else {}
    stale = [name for name in {**new.snapshots, **before} if before.get(name) != new.snapshots.get(name)]
    which = f": {', '.join(stale)}" if stale else ", in its layout"
    sys.stderr.write(f"resflops: {path} is out of date{which}; run `resflops lock` and commit it\n")
    return CHECK_FAILED


def _report(config: Config, old: Lock | None, new: Lock, *, changed: bool) -> None:
    path = shorten_path(config.lock)
    if not changed:
        say(f"{path} is unchanged: the models cost what is locked")
        return
    before = old.snapshots if old else {}
    for name, snapshot in new.snapshots.items():
        if before.get(name) != snapshot:
            say(format_note(note_locked(snapshot, before.get(name))))
            for op in dict.fromkeys(line.op for line in snapshot.uncounted):
                sys.stderr.write(
                    f"resflops: {name}: {op} has no rule, and `resflops check` fails until it has one; "
                    "add a rule with @resflops.rule, or list the op in allow-uncounted\n"
                )
    for name in before:
        if name not in new.snapshots:
            say(f"{name}: dropped, since {shorten_path(config.path)} no longer names it")
    say(f"wrote {path}; commit it")


COMMAND = Command(
    name="lock",
    summary="write a lock file of what the configured models cost now",
    description="Counts the models that are configured in resflops.toml, or in [tool.resflops] of "
    "pyproject.toml, and writes what each layer costs into the lock file. "
    "resflops check then compares the models with it.",
    add_arguments=_add_arguments,
    run=_run,
)
