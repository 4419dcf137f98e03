"""Compares the outputs of a backend with those of eager torch on the same input and weights."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

__all__ = ["LIMITS", "OutputError", "compare_outputs"]

LIMITS = {"float32": 1e-3, "float16": 2e-2, "bfloat16": 1e-1, "int8-dynamic": 2e-1, "int8-static": 2e-1}
"""How large the largest difference may be, relative to the largest output of eager torch.

Each is some hundred times the rounding of the type, which sums of many products and deep networks make
larger; of int8, whose scale is that of a whole tensor, it is what remains of use.
"""


class OutputError(Struct, frozen=True, kw_only=True):
    """How far a backend's outputs are from those of eager torch."""

    largest: float | None
    """The largest difference over the largest absolute value of the same output; None if it is not known."""
    note: str = ""
    """What is wrong with the outputs, if something is."""


def compare_outputs(
    expected: Sequence[np.ndarray[Any, Any]], got: Sequence[np.ndarray[Any, Any]], *, dtype: str
) -> OutputError:
    """Compare outputs one by one, and keep the largest error.

    >>> compare_outputs([np.array([1.0, -4.0])], [np.array([1.0, -3.0])], dtype="float32").largest
    0.25
    """
    if [each.shape for each in expected] != [each.shape for each in got]:
        shapes = "those of eager torch have {}, these have {}".format(
            *(", ".join("×".join(map(str, each.shape)) for each in several) for several in (expected, got))
        )
        return OutputError(largest=None, note=f"its outputs have other shapes: {shapes}")
    if not all(np.isfinite(each).all() for each in expected):
        return OutputError(
            largest=None, note="its outputs could not be checked: those of eager torch are not all finite"
        )
    if not all(np.isfinite(each).all() for each in got):
        return OutputError(largest=None, note="its outputs are wrong: they are not all finite")
    largest = max(map(_find_error, expected, got), default=0.0)
    limit = LIMITS[dtype]
    if largest <= limit and all(map(_is_constant, expected)):
        # Such as those of a network whose last layer begins as zeros: they are right whatever comes before.
        return OutputError(
            largest=None, note="its outputs could not be checked: those of eager torch are all alike"
        )
    if largest <= limit:
        return OutputError(largest=largest)
    return OutputError(
        largest=largest,
        note=f"its outputs differ from those of eager torch by {largest:.2g} of the largest, "
        f"which is more than the {limit:g} that {dtype} is allowed",
    )


def _is_constant(values: np.ndarray[Any, Any]) -> bool:
    return not values.any() or (values.size > 1 and bool((values == values.flat[0]).all()))


def _find_error(expected: np.ndarray[Any, Any], got: np.ndarray[Any, Any]) -> float:
    if not expected.size:
        return 0.0
    wide, other = expected.astype(np.float64), got.astype(np.float64)
    difference = float(np.abs(wide - other).max())
    scale = float(np.abs(wide).max())
    if not difference:
        return 0.0
    return difference / scale if scale else math.inf
