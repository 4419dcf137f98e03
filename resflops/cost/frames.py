"""Make a pandas data frame of rows of one kind."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["make_frame"]


def make_frame(kind: type[Struct], rows: Sequence[Struct]) -> "pd.DataFrame":
    """Make a data frame with a column for each field, numbers as numbers.

    Args:
        kind: the class of the rows; it names the columns even if there are no rows.
        rows: the rows, all of that class.
    """
    import pandas as pd

    fields = list(kind.__struct_fields__)
    return pd.DataFrame([[getattr(row, name) for name in fields] for row in rows], columns=fields)
