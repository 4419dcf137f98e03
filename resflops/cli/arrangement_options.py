"""The options that arrange a table: which columns, in what order the rows, in which units."""

from collections.abc import Callable, Sequence

from resflops.cli.arrange import Values
from resflops.cli.command_line import looks_like_model
from resflops.cli.parser import Parser

__all__ = ["add_arrangement"]


def add_arrangement(parser: Parser, columns: Sequence[str], *, decimals: str = "--precision") -> None:
    """Add the options that arrange a table.

    Args:
        parser: the parser of the command.
        columns: the columns that its table may have; ``()`` if they are found out from the table.
        decimals: the name of the option that sets how many decimals are shown.
    """
    names = f": {', '.join(columns)}" if columns else ""
    chosen = parser.add_argument(
        "--columns",
        nargs="+",
        metavar="NAMES",
        default=[],
        help="the columns to show, such as model,params,macs; or +name and -name to add to the usual ones "
        f"and leave some out{names}",
    )
    parser.tell_values(chosen, Values(belong=_make_column_test(columns), dashed=True))
    sort = parser.add_argument(
        "--sort",
        metavar="NAME",
        help="sort by the exact values of this column, smallest first; -NAME puts the largest first",
    )
    parser.tell_values(sort, Values(belong=lambda _: False, dashed=True))
    parser.add_argument(
        "--units",
        metavar="UNIT",
        help="write costs in K, M, G or T, in auto, one that suits the column, or in none, exactly as is "
        "usual; parameters then have the unit that suits them; macs=G,params=M gives columns their own; "
        "bytes in MB, GB, MiB or GiB",
    )
    parser.add_argument(
        decimals,
        dest="precision",
        metavar="N",
        help="decimals of percentages, ratios, measured figures and figures in a unit (2 there if not "
        "given); exact counts stay exact",
    )
    parser.set_defaults(known_columns=tuple(columns))


def _make_column_test(columns: Sequence[str]) -> Callable[[str], bool]:
    """Make the test that tells a further list of columns from a model."""

    def is_columns(word: str) -> bool:
        from resflops.tables.arrangement import ALIASES, normalize_name

        if not columns:
            return not looks_like_model(word)
        names = [part.lstrip("+-") for part in word.split(",")]
        return word.startswith(("+", "-")) or all(
            normalize_name(name) in {*columns, *ALIASES} for name in names
        )

    return is_columns
