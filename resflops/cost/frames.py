"""Rows of one kind as a pandas data frame."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["frame_of"]


def frame_of(kind: type[Struct], rows: Sequence[Struct]) -> "pd.DataFrame":
    """A column for each field, numbers as numbers.

    Args:
        kind: the rows' class, which names the columns also where there is no row.
        rows: one each.
    """
    import pandas as pd

    fields = list(kind.__struct_fields__)
    return pd.DataFrame([[getattr(row, name) for name in fields] for row in rows], columns=fields)
