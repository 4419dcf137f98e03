"""``resflops lock``: agree to what the models cost now."""

import argparse
import sys

from resflops.cli.command import Command, Parser
from resflops.cli.gating import add_models, bills_of, configured
from resflops.cli.output import say
from resflops.cli.status import CHECK_FAILED, DONE
from resflops.gate.bill import Bill
from resflops.gate.config import Config
from resflops.gate.lockfile import Lock, holds, read_lock, renewed, write_lock
from resflops.gate.paths import shown
from resflops.render.formats import sentence
from resflops.storage import check_writable
from resflops.tables import locked_note

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    add_models(parser)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 if the lock file is not what would be written",
    )


def _run(given: argparse.Namespace) -> int:
    config = configured(given)
    wanted = config.chosen(given.models)
    check_writable(config.lock)
    # Whatever is wrong with the old file is said before anything is counted, and leaves it alone.
    old = read_lock(config.lock) if given.check or config.lock.exists() else None
    bills = bills_of(wanted, config, given)
    from resflops.gate.counted import made_by

    kept = [bill for bill in (old.bills.values() if old else ()) if _stays(bill, config, given)]
    new = renewed([*kept, *bills], old=old, made_by=made_by())
    if given.check:
        return _checked(config, old, new)
    changed = write_lock(config.lock, new)
    _report(config, old, new, changed=changed)
    return DONE


def _stays(bill: Bill, config: Config, given: argparse.Namespace) -> bool:
    """Whether a locked model is neither counted again nor dropped."""
    return bool(given.models) and bill.model in config.models and bill.model not in given.models


def _checked(config: Config, old: Lock | None, new: Lock) -> int:
    path = shown(config.lock)
    if holds(config.lock, new):
        say(f"{path} is up to date")
        return DONE
    before = old.bills if old else {}
    stale = [name for name in {**new.bills, **before} if before.get(name) != new.bills.get(name)]
    which = f": {', '.join(stale)}" if stale else ", in its layout"
    sys.stderr.write(f"resflops: {path} is out of date{which}; run `resflops lock` and commit it\n")
    return CHECK_FAILED


def _report(config: Config, old: Lock | None, new: Lock, *, changed: bool) -> None:
    path = shown(config.lock)
    if not changed:
        say(f"{path} stays as it is: nothing changed")
        return
    before = old.bills if old else {}
    for name, bill in new.bills.items():
        if before.get(name) != bill:
            say(sentence(locked_note(bill, before.get(name))))
            for op in dict.fromkeys(line.op for line in bill.uncounted):
                sys.stderr.write(f"resflops: {name}: {op} is not counted; resflops check fails until it is\n")
    for name in before:
        if name not in new.bills:
            say(f"{name}: dropped, since {shown(config.path)} no longer names it")
    say(f"wrote {path}; commit it")


COMMAND = Command(
    name="lock",
    summary="write down what the configured models cost now",
    description="Counts the models that [tool.resflops] of pyproject.toml, or resflops.toml, names, and "
    "writes what each layer costs into the lock file, which resflops check holds them to.",
    add_arguments=_add_arguments,
    run=_run,
)
