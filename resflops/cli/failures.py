"""What is said where not one of several models is left."""

from collections.abc import Sequence

from resflops.errors import ModelError

__all__ = ["make_all_failed_error"]

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
