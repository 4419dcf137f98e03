"""Non-zero multiply-accumulates beside the dense ones: what pruning could save."""

from collections.abc import Sequence

from resflops.cost import Cost
from resflops.tables.table import Column, Figure, Note, show_people_if

__all__ = ["build_nonzero_column", "note_nonzero"]


def build_nonzero_column(*, asked: bool) -> Column:
    """Build the column of non-zero MACs, which people are shown if they asked for them."""
    return Column(
        key="nonzero_macs",
        heading="non-zero MACs",
        kind="count",
        audience=show_people_if(asked),
        detail=1,
        measures="cost",
    )


def note_nonzero(costs: Sequence[Cost]) -> tuple[Note, ...]:
    """Note what non-zero MACs are, and where they are only an upper bound."""
    if all(cost.nonzero_macs is None for cost in costs):
        return ()
    return (_SCOPE, *(_note_unknown(cost) for cost in costs if cost.nonzero_unknown))


_SCOPE = Note(
    text="Non-zero MACs are those with a weight that is not zero; products of two activations count in full."
)


def _note_unknown(cost: Cost) -> Note:
    layers = ", ".join(layer or "the model itself" for layer in cost.nonzero_unknown)
    return Note(
        qualifies=True,
        text="{model}: the non-zero MACs are an upper bound: computed weights are taken as dense, in "
        "{layers}.",
        figures={"model": Figure("text", cost.model), "layers": Figure("text", layers)},
    )
