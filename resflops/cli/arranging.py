"""Reads the options that arrange a table."""

import argparse

from msgspec.structs import asdict

from resflops.errors import UsageError

__all__ = ["read_arrangement"]

MOST_DECIMALS = 15
"""More decimals than this no floating-point figure has."""


def read_arrangement(args: argparse.Namespace) -> None:
    """Read the options into ``args.arrangement``, before anything is counted.

    Raises:
        UsageError: a value is not valid, or there is no such column.
    """
    args.arrangement = None
    if not any(getattr(args, name, None) for name in ("columns", "sort", "units", "precision")):
        return
    from resflops.tables.arrangement import (
        Arrangement,
        check_columns,
        parse_columns,
        parse_sort,
        parse_units,
    )

    wish: dict[str, object] = {}
    for given, parse in (
        (",".join(args.columns), parse_columns),
        (args.sort, parse_sort),
        (args.units, parse_units),
    ):
        if given:
            # Each says something else of it: what is still as in a new one, it does not speak of.
            wish |= {name: value for name, value in asdict(parse(given)).items() if value}
    if args.precision is not None:
        wish["precision"] = _read_precision(args.precision)
    args.arrangement = Arrangement(**wish)  # type: ignore[arg-type]
    # A table of times has other columns, and making it takes no longer than reading its files.
    if args.known_columns and not getattr(args, "latency", None):
        check_columns(args.arrangement.names, args.known_columns)


def _read_precision(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:3]) <= MOST_DECIMALS):
        raise UsageError(f"--precision takes a number of decimals, 0 to {MOST_DECIMALS}, got {text!r}")
    return int(text)
