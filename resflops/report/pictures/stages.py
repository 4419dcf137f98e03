"""Networks side by side, stage by stage: what is done at each size of the feature maps."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from msgspec import Struct

from resflops.cost import Cost
from resflops.render.formats import rounded, shape, share
from resflops.report.pictures.labels import label
from resflops.report.pictures.scales import counts
from resflops.report.style import Theme, bare, drawing

__all__ = ["FULLY_CONNECTED", "Part", "Stages", "StagesOf", "draw", "stages_of"]

FULLY_CONNECTED = "fully connected"


class Part(Struct, frozen=True, kw_only=True):
    """What one network does at one size."""

    size: str
    """Of the feature maps that its layers give, ``56×56``, or FULLY_CONNECTED."""
    stages: tuple[str, ...]
    """The stages that they belong to, as the network names them."""
    layers: int
    """Convolutions and fully connected layers."""
    total: int
    params: int


class StagesOf(Struct, frozen=True, kw_only=True):
    """One network."""

    model: str
    total: int
    parts: tuple[Part, ...]


class Stages(Struct, frozen=True, kw_only=True):
    """The networks, and the sizes that any of them has, the largest first."""

    convention: str
    unit: str
    sizes: tuple[str, ...]
    models: tuple[StagesOf, ...]


def stages_of(costs: list[Cost], *, unit: str) -> Stages:
    """Costs by the size of the feature maps, as the paper's Figure 3 sets the networks side by side."""
    networks = tuple(_parts(cost) for cost in costs)
    sizes = {part.size: _points(part.size) for network in networks for part in network.parts}
    return Stages(
        convention=costs[0].convention,
        unit=unit,
        sizes=tuple(sorted(sizes, key=lambda size: -sizes[size])),
        models=networks,
    )


def _parts(cost: Cost) -> StagesOf:
    groups: dict[str, list[int]] = {}
    for number, row in enumerate(cost.layers):
        if row.total:
            spatial = row.output_shape[2:]
            groups.setdefault(shape(spatial) if spatial else FULLY_CONNECTED, []).append(number)
    parts = []
    for size, numbers in groups.items():
        rows = [cost.layers[number] for number in numbers]
        names = dict.fromkeys(cost.trace.stage_of(row.name) for row in rows)
        parts.append(
            Part(
                size=size,
                stages=tuple(name for name in names if name),
                layers=sum(row.calls for row in rows),
                total=sum(row.total for row in rows),
                params=sum(row.params for row in rows),
            )
        )
    return StagesOf(model=cost.model, total=cost.total, parts=tuple(parts))


def _points(size: str) -> int:
    return 0 if size == FULLY_CONNECTED else int(size.partition("×")[0])


def draw(data: Stages, theme: Theme) -> Figure:
    """A panel for each network, all to one scale, a bar for each size."""
    widest = max(part.total for network in data.models for part in network.parts)
    with drawing(theme, height=0.9 + 0.42 * len(data.sizes)) as figure:
        figure.suptitle(f"Where the work is: {label(data.unit)} by size of the feature maps")
        panels = figure.subplots(1, len(data.models), sharex=True, sharey=True, squeeze=False)[0]
        for panel, network, colour in zip(panels, data.models, theme.series, strict=False):
            # Every bar bears its figure, so that lines to read it off would only be in the way.
            bare(panel, grid="")
            panel.set_title(f"{label(network.model)}: {rounded(network.total)}", color=colour)
            for part in network.parts:
                place = data.sizes.index(part.size)
                panel.barh(place, part.total, height=0.62, color=colour)
                text = f"{rounded(part.total)}, {share(part.total / network.total)}"
                panel.text(part.total + widest * 0.02, place, text, va="center", fontsize=8)
            panel.set_yticks(range(len(data.sizes)), data.sizes)
            panel.set_ylim(len(data.sizes) - 0.5, -0.5)
            panel.set_xlim(0, widest * 1.75)
            panel.tick_params(axis="y", length=0)
            panel.xaxis.set_major_locator(MaxNLocator(3))
            counts(panel.xaxis)
        figure.supxlabel(f"{label(data.unit)}, one image", fontsize=9)
        return figure
