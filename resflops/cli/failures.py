"""What is said of models that failed, and where not one of several is left."""

import argparse
from collections.abc import Mapping, Sequence

from resflops.cli.streams import warn
from resflops.errors import ModelError
from resflops.render import find_format

__all__ = ["make_all_failed_error", "warn_of_failures"]

MOST_REASONS = 5
"""How many models may fail for each reason to be told."""


def make_all_failed_error(reasons: Sequence[str], *, by_pattern: bool, verb: str) -> ModelError:
    """Make the error for models of which none is left: each reason once, or the first of very many.

    Args:
        reasons: why each model failed.
        by_pattern: whether a pattern named some of them.
        verb: what could not be done with them, such as ``could be counted``.
    """
    different = list(dict.fromkeys(reasons))
    if not by_pattern and len(different) <= MOST_REASONS:
        return ModelError("\n".join(different))
    return ModelError(f"none of {len(reasons)} models {verb}; the first: {reasons[0]}")


def warn_of_failures(reasons: Mapping[str, str], args: argparse.Namespace, *, verb: str) -> None:
    """Say on standard error which models failed, with the reasons if no row of the table shows them.

    Args:
        reasons: why each model failed, by its name.
        args: the arguments, which decide what the table shows.
        verb: what could not be done with them, such as ``count``.
    """
    # A choice of columns may leave the reasons out, and print has no room for them.
    shown = not args.columns and (args.format or find_format(args.out or "")) != "latex"
    if reasons and shown:
        warn(f"could not {verb} {', '.join(reasons)}")
        return
    for model, reason in reasons.items():
        warn(f"could not {verb} {model}: {reason}")
