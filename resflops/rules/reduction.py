"""Embedding bags: rows of a table, folded."""

from math import prod

from resflops.records import OpRecord, Work
from resflops.rules.registry import rule


@rule("embedding_bag")
def embedding_bag(record: OpRecord) -> Work:
    """Rows of a table folded into one per bag: n-1 additions or comparisons, and a division for the mean.

    A weight per row is one multiplication per element of the row. No MACs: the rows are
    looked up, not multiplied.
    """
    indices, table = record.input_shapes[:2]
    width, bags = table[-1], record.output_shape[0]
    rows = prod(indices)
    folds = max(rows - bags, 0) * width
    if record.attributes.get("mode") == "max":
        return Work(comparisons=folds)
    weighted = rows * width if record.attributes.get("weighted") else 0
    means = bags * width if record.attributes.get("mode") == "mean" else 0
    return Work(arithmetic=folds + weighted + means)
