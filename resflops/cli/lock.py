"""``resflops lock``: lock what the models cost now."""

import argparse
from collections.abc import Sequence

from resflops.cli.gating import add_models, choose_models, load_config, say_none_affected, snapshot_models
from resflops.cli.output import say
from resflops.cli.parser import Command, Parser
from resflops.cli.status import CHECK_FAILED, DONE
from resflops.cli.streams import warn
from resflops.errors import ResflopsError
from resflops.gate.config import Config, ModelConfig
from resflops.gate.lockfile import Lock, is_up_to_date, read_lock, renew_lock, write_lock
from resflops.gate.paths import shorten_path
from resflops.gate.snapshot import Snapshot
from resflops.gate.verdict import check_lock_names, judge_model
from resflops.render.formats import format_note
from resflops.storage.writing import check_writable, hold_folder
from resflops.tables.gate_notes import note_locked, note_over_budget
from resflops.tables.layer_changes import note_snapshot

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    add_models(parser)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 if the lock file is out of date",
    )
    parser.add_argument(
        "--after-check",
        action="store_true",
        help="as --check, but leave to resflops check whatever that fails on, so that nothing fails twice",
    )


def _run(args: argparse.Namespace) -> int:
    if not args.after_check:
        return _lock(args)
    args.check = True
    try:
        return _lock(args)
    except ResflopsError as error:
        warn(f"left to `resflops check`, which could not run either: {error}")
        return DONE


def _lock(args: argparse.Namespace) -> int:
    config = load_config(args)
    models = choose_models(config, args)
    if not models:
        return say_none_affected()
    if len(models) < len(config.models):
        args.models = [model.name for model in models]
    # A folder that cannot be written to is reported before the models are counted.
    check_writable(config.lock)
    # A damaged lock file is reported before anything is counted, and is not overwritten.
    old = read_lock(config.lock) if args.check or config.lock.exists() else None
    snapshots = snapshot_models(models, config, args)
    from resflops.gate.counting import name_versions

    if args.check:
        failing = _list_failing(config, old, models, snapshots) if args.after_check and old else frozenset()
        new = _merge(snapshots, old, old, config, args, made_by=name_versions())
        return _check(config, old, new, failing=failing)
    # Read again, since counting takes a while in which another command may have locked other models.
    with hold_folder(config.lock):
        present = read_lock(config.lock) if config.lock.exists() else None
        new = _merge(snapshots, present, old, config, args, made_by=name_versions())
        changed = write_lock(config.lock, new)
    _report(config, present, new, changed=changed)
    _warn_of_budgets(snapshots, config)
    for note in (note for snapshot in snapshots for note in note_snapshot(snapshot)):
        warn(format_note(note))
    return DONE


def _merge(
    snapshots: Sequence[Snapshot],
    present: Lock | None,
    old: Lock | None,
    config: Config,
    args: argparse.Namespace,
    *,
    made_by: str,
) -> Lock:
    """Merge what was counted into the lock as it is now, which may have changed since it was first read."""
    counted = {snapshot.model for snapshot in snapshots}
    before = old.snapshots if old else {}
    kept = [
        snapshot
        for name, snapshot in (present.snapshots if present else {}).items()
        # If no models are named, all of them are counted, and a locked model that is not among them is
        # dropped; but not one that another command has just locked, which knows a newer configuration.
        if name not in counted and ((args.models and name in config.models) or name not in before)
    ]
    return renew_lock([*kept, *snapshots], old=present, made_by=made_by)


def _list_failing(
    config: Config, lock: Lock, models: Sequence[ModelConfig], snapshots: Sequence[Snapshot]
) -> frozenset[str]:
    """List the models that ``resflops check`` fails.

    Raises:
        SchemaError: it could not run.
    """
    check_lock_names(config, lock, tuple(models))
    return frozenset(
        model.name
        for model, snapshot in zip(models, snapshots, strict=True)
        if not judge_model(model, snapshot, lock).passed
    )


def _check(config: Config, old: Lock | None, new: Lock, *, failing: frozenset[str]) -> int:
    path = shorten_path(config.lock)
    if is_up_to_date(config.lock, new):
        say(f"{path} is up to date")
        return DONE
    before = old.snapshots if old else {}
    stale = [name for name in {**new.snapshots, **before} if before.get(name) != new.snapshots.get(name)]
    if stale and failing >= set(stale):
        say(f"{path} is up to date, but for what `resflops check` fails on: {', '.join(stale)}")
        return DONE
    stale = [name for name in stale if name not in failing]
    which = f": {', '.join(stale)}" if stale else ", in its layout"
    warn(f"{path} is out of date{which}; run `resflops lock` and commit it")
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
                warn(
                    f"{name}: {op} has no rule, and `resflops check` fails until it has one; "
                    "add a rule with @resflops.rule, or list the op in allow-uncounted"
                )
    for name in before:
        if name not in new.snapshots:
            say(f"{name}: dropped, since {shorten_path(config.path)} no longer names it")
    say(f"wrote {path}; commit it")


def _warn_of_budgets(snapshots: Sequence[Snapshot], config: Config) -> None:
    """Warn of each model that is over its budget: what is locked may pass the lock, and fails the check."""
    path = shorten_path(config.path)
    for snapshot in snapshots:
        for note in note_over_budget(snapshot, config.models[snapshot.model], config=path):
            warn(format_note(note))


COMMAND = Command(
    description="Counts the models that are configured in resflops.toml, or in [tool.resflops] of "
    "pyproject.toml, and writes what each layer costs into the lock file. "
    "resflops check then compares the models with it. A model that is over its budget is locked, too, "
    "with a warning: resflops check fails all the same.",
    add_arguments=_add_arguments,
    run=_run,
)
