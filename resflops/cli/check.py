"""``resflops check``: check the models against the lock file and their budgets."""

import argparse
import os
from contextlib import suppress
from pathlib import Path

from resflops.cli.arguments import add_output, require_writable
from resflops.cli.gating import add_models, choose_models, load_config, say_none_affected, snapshot_models
from resflops.cli.output import write
from resflops.cli.parser import Command, Parser
from resflops.cli.status import CHECK_FAILED, DONE
from resflops.errors import ResflopsError, UsageError
from resflops.gate.config import find_config, read_config
from resflops.gate.lockfile import read_lock
from resflops.gate.paths import shorten_path
from resflops.gate.problems import list_problems
from resflops.gate.verdict import check_lock_names, judge_model
from resflops.render import find_format, find_renderer
from resflops.storage.writing import write_text
from resflops.tables import Table
from resflops.tables.gate import build_check_table, build_problem_table

__all__ = ["COMMAND"]


def _add_arguments(parser: Parser) -> None:
    add_models(parser)
    parser.add_argument("--all", action="store_true", help="show every figure and every changed layer")
    parser.add_argument(
        "--report",
        metavar="FILE",
        action="append",
        default=[],
        type=_check_report_path,
        help="also write the result to this file, in the format of its ending: .md, .json, .csv or .xml "
        "(JUnit); may be given several times",
    )
    add_output(parser, of_checks=True)


def _check_report_path(path: str) -> str:
    if find_format(path, of_checks=True) is None:
        raise UsageError(f"--report {path}: its ending names no format; end it in .md, .json, .csv or .xml")
    return require_writable(path)


def _run(args: argparse.Namespace) -> int:
    try:
        return _check(args)
    except ResflopsError as error:
        _report_problems(str(error), args)
        raise


def _check(args: argparse.Namespace) -> int:
    config = load_config(args)
    models = choose_models(config, args)
    if not models:
        return say_none_affected()
    lock = read_lock(config.lock)
    check_lock_names(config, lock, models)
    snapshots = snapshot_models(models, config, args, lock=lock)
    verdicts = [judge_model(model, snapshot, lock) for model, snapshot in zip(models, snapshots, strict=True)]
    table = build_check_table(
        verdicts,
        config=_shorten_for_annotations(config.path),
        lock=shorten_path(config.lock),
        everything=args.all,
    )
    # Before the table is written, so that a closed pipe does not cost the reports.
    _write_reports(table, args)
    write(table, args, of_checks=True)
    return DONE if all(verdict.passed for verdict in verdicts) else CHECK_FAILED


def _write_reports(table: Table, args: argparse.Namespace) -> None:
    for path in args.report:
        name = find_format(path, of_checks=True) or "markdown"
        write_text(path, find_renderer(name, of_checks=True).render(table))


def _report_problems(message: str, args: argparse.Namespace) -> None:
    """Report why the check could not run where others read its result, besides on standard error."""
    if not args.report and args.format != "github":
        return
    lock: Path | None = None
    lines: dict[str, int] = {}
    # What is wrong may be the configuration itself, or a file that cannot be written: the message is enough.
    path = Path(args.config or "pyproject.toml").absolute()
    with suppress(ResflopsError):
        path = path if args.config else find_config(Path.cwd())
        config = read_config(path)
        lock, lines = config.lock, {model.name: model.line for model in config.models.values()}
    problems = list_problems(message, config=path, lock=lock, model_lines=lines)
    table = build_problem_table(problems, shorten=_shorten_for_annotations)
    with suppress(ResflopsError):
        _write_reports(table, args)
    with suppress(ResflopsError):
        if args.format == "github":
            write(table, args, of_checks=True)


def _shorten_for_annotations(path: Path) -> str:
    """Write a path as GitHub's annotations need it: from the top of the repository, wherever this runs."""
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    return path.relative_to(workspace).as_posix() if path.is_relative_to(workspace) else shorten_path(path)


COMMAND = Command(
    description="Counts the configured models, and compares them with the lock file and with their budgets. "
    "Exits with 1 if a limit is broken, an op is uncounted, or the input, element type or convention is not "
    "the locked one, so that nothing can be compared. "
    "Lists the layers that changed, the largest change first.",
    add_arguments=_add_arguments,
    run=_run,
)
