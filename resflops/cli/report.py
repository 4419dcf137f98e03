"""``resflops report``: rebuild or check the reports, or write one page to explore models in."""

import argparse
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from resflops.cli.arguments import add_model_input, require_writable
from resflops.cli.counting import count_models
from resflops.cli.models_argument import add_models_option
from resflops.cli.output import say as say_line
from resflops.cli.parser import STANDARD_OUTPUT, Command, Parser
from resflops.cli.progress import progress
from resflops.cli.status import CHECK_FAILED, DONE, INTERRUPTED
from resflops.cli.streams import warn, write_output
from resflops.cost.convention import DEFAULT_CONVENTION
from resflops.errors import UsageError, pluralize
from resflops.storage.writing import write_text
from resflops.tables.comparison import Entry

__all__ = ["COMMAND"]

FOLDER = "reports"
ENDING = ".html"


def _add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "--folder",
        metavar="FOLDER",
        type=Path,
        default=Path(FOLDER),
        help=f"the folder of the reports, with the raw data in data/; {FOLDER} if not given",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 if a report does not match the models and the data",
    )
    parser.add_argument(
        "--html",
        metavar="FILE",
        help="instead of the reports, write one page to explore the given models in, which works offline; "
        "FILE ends in .html, or is - for standard output",
    )
    parser.add_argument("--title", metavar="TEXT", help="for --html, the title of the page")
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="for --html, the models, such as resnet34 vgg19"
    )
    add_models_option(parser)
    add_model_input(parser)


def _run(args: argparse.Namespace) -> int:
    if args.html is not None:
        return _write_page(args)
    if args.title is not None:
        raise UsageError("--title is for --html FILE MODEL; the reports have titles of their own")
    if args.models:
        raise UsageError(
            f"unexpected argument {args.models[0]!r}: the reports have a fixed set of models; "
            f"for a page about this model give --html FILE {args.models[0]}"
        )
    # Compared with the default, because argparse does not tell whether an option was given.
    if args.input or args.batch or args.convention.name != DEFAULT_CONVENTION:
        raise UsageError(
            "--input, --batch and --convention are only for --html FILE MODEL, "
            "because the reports choose their own; "
            "leave them out"
        )
    return _check(args) if args.check else _rebuild(args)


def _write_page(args: argparse.Namespace) -> int:
    if args.check:
        raise UsageError("--check checks the reports, and --html writes another page; give only one of them")
    if not args.models:
        raise UsageError(
            "no models are given; name the models to explore, as in --html page.html resnet34 vgg19"
        )
    _check_page_name(args.html)
    for spec in _find_repeated(args.models):
        warn(f"{spec} is given more than once; the page shows it once")
    counted = count_models(args.models, args)
    # Here, because it loads jinja2, which is not needed before there is something to show.
    from resflops.report.explorer import name_apart, render_explorer

    costs = name_apart([one.cost for one in counted.entries])
    stored = {cost.model: one.stored for cost, one in zip(costs, counted.entries, strict=True)}
    page = render_explorer(costs, stored=stored, title=args.title)
    if args.html == STANDARD_OUTPUT:
        write_output(page)
    else:
        write_text(args.html, page)
    for result in counted.results:
        if not isinstance(result, Entry):
            warn(f"{result.model} is not on the page: {result.reason}")
    if counted.left:
        left = f"{counted.left} more {pluralize('model', counted.left)}"
        warn(f"interrupted: {left} {'is' if counted.left == 1 else 'are'} not on the page")
        return INTERRUPTED
    return CHECK_FAILED if counted.failures else DONE


def _check_page_name(name: str) -> None:
    """Check that a page can be written under a name, and that a browser will take it for one."""
    if name == STANDARD_OUTPUT:
        return
    path = Path(name)
    if path.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(
            f"--html {name}: the page is HTML, and browsers know it by its ending; "
            f"write --html {shlex.quote(f'{path.with_suffix(ENDING)}' if path.name else f'page{ENDING}')}"
        )
    require_writable(name)


def _find_repeated(specs: Sequence[str]) -> tuple[str, ...]:
    """Find the specs that are given more than once."""
    return tuple(spec for spec, times in Counter(specs).items() if times > 1)


def _check(args: argparse.Namespace) -> int:
    from resflops.report.build import find_differences

    with progress(shown=not args.no_progress) as say:
        differences = find_differences(args.folder, say=say, fresh=args.fresh)
    for difference in differences:
        say_line(f"{difference.state}: {args.folder / difference.path}")
    if differences:
        left_over = any(difference.state == "left over" for difference in differences)
        what = "1 file does" if len(differences) == 1 else f"{len(differences)} files do"
        warn(
            f"{what} not match what {args.folder} is made from; "
            f"resflops report --folder {shlex.quote(str(args.folder))} rebuilds them"
            + (", and removes what is left over" if left_over else "")
        )
    return CHECK_FAILED if differences else DONE


def _rebuild(args: argparse.Namespace) -> int:
    from resflops.report.build import rebuild

    with progress(shown=not args.no_progress) as say:
        written = rebuild(args.folder, say=say, fresh=args.fresh)
    for path in written:
        say_line(f"{args.folder / path}")
    if not written:
        warn(f"everything in {args.folder} is up to date")
    return DONE


COMMAND = Command(
    description="Rebuilds the reports and their pictures from the models and the stored raw data, and writes "
    "only the files that changed. With --html, writes one page to explore the given models in instead.",
    add_arguments=_add_arguments,
    run=_run,
)
