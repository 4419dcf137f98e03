"""What a table of models is made of: costs with what is known of their models, or reasons for having none."""

from msgspec import Struct
from msgspec.structs import replace

from resflops.cost import Cost
from resflops.models.published import PublishedFigure, select_figures
from resflops.records import Shape
from resflops.sources import FoundModel

__all__ = ["Entry", "Failed", "build_entry", "find_batch_size", "list_input_shapes", "rename_cost"]


class Entry(Struct, frozen=True, kw_only=True):
    """A cost, with what is known about its model."""

    cost: Cost
    variant: str = ""
    """Which network it is, where people mean different ones by the name."""
    figures: tuple[PublishedFigure, ...] = ()
    """The figures that were printed for this network on this input."""
    stored: str = ""
    """Where its trace was stored, in words; ``""`` if it was taken now."""
    spec: str = ""
    """The spec of a model that goes by a label; ``""`` if it goes by its spec."""


class Failed(Struct, frozen=True, kw_only=True):
    """A model that could not be counted."""

    model: str
    reason: str
    input_shape: Shape | None = None
    """The shape that was asked for; None for the usual one."""
    spec: str = ""
    """The spec of a model that goes by a label; ``""`` if it goes by its spec."""


def build_entry(found: FoundModel, cost: Cost, *, stored: str = "", label: str = "") -> Entry:
    """Add the figures that were printed for a model to its cost.

    Printed multiply-accumulates hold for the usual input alone, and are left out for another.

    Args:
        found: the model.
        cost: what it costs.
        stored: where its trace was stored, in words; ``""`` if it was taken now.
        label: a name of the user's for it, which then stands wherever the cost is shown.
    """
    usual = list_input_shapes(cost) == ((1, *found.input_shape),)
    figures = tuple(figure for figure in select_figures(found.name) if usual or figure.quantity != "macs")
    if not label:
        return Entry(cost=cost, variant=found.variant, figures=figures, stored=stored)
    return Entry(
        cost=rename_cost(cost, label),
        variant=found.variant,
        figures=figures,
        stored=stored,
        spec=cost.model,
    )


def rename_cost(cost: Cost, name: str) -> Cost:
    """Give a cost another name, which stands wherever it is shown."""
    return replace(cost, trace=replace(cost.trace, model=name))


def list_input_shapes(cost: Cost) -> tuple[Shape, ...]:
    """List the shapes of all inputs of a model."""
    return tuple(given.shape for given in cost.trace.inputs)


def find_batch_size(cost: Cost) -> int:
    """Find the batch size of the inputs: the first dimension, if it is the same for all of them."""
    sizes = {shape[0] for shape in list_input_shapes(cost) if shape}
    return sizes.pop() if len(sizes) == 1 and 0 not in sizes else 1
