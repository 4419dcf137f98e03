"""The tables of three small kernels against one large one, each figure of them counted."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from resflops.cost import Cost
from resflops.cost.layers import LayerRow
from resflops.records import Shape
from resflops.report.context import Context
from resflops.tables import Column, Table
from resflops.tables.table import Row

__all__ = [
    "COMPARED",
    "LARGE",
    "LAYERS",
    "SMALL",
    "STEM",
    "STRIDES",
    "StackCounts",
    "build_cost_table",
    "build_field_table",
    "build_first_layers_table",
    "build_parameter_table",
    "build_stem_table",
    "format_channels",
    "list_first_layers",
    "name_stack",
]

SMALL, LARGE, LAYERS = 3, 7, 3
"""Side of the small kernels and of the large one, and how many small ones see what the large one sees."""

CHANNELS = ((3, 3), (3, 64), (3, 256), (64, 64), (64, 256), (256, 256))
"""Channels that go in and come out."""

COMPARED = ((3, 3), (3, 64), (64, 64), (256, 256))
"""Those of them that are compared at every stride."""

STRIDES = (1, 2, 4)

STEM = (3, 64)
"""The channels of ResNet's first convolution, whose stride is two."""

NARROW_STEM = (3, 32, 32, 64)
"""The channels of the three convolutions that He et al. 2018 put in its place."""


def name_stack(kernel: int, channels: Sequence[int], strides: Sequence[int]) -> str:
    """Name convolutions in a row by a spec, which ``resflops table`` takes too."""
    lists = (
        f"{name}=[{','.join(map(str, of))}]" for name, of in (("channels", channels), ("strides", strides))
    )
    return f"resflops.models.kernels:stack,kernel={kernel},{','.join(lists)}"


class StackCounts:
    """Counts convolutions in a row; ``context`` keeps what was counted."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def large(self, before: int, after: int, stride: int = 1) -> Cost:
        """One convolution with the large kernel."""
        return self._context.cost(name_stack(LARGE, (before, after), (stride,)))

    def single(self, before: int, after: int) -> Cost:
        """One convolution with the small kernel."""
        return self._context.cost(name_stack(SMALL, (before, after), (1,)))

    def small(self, before: int, after: int, stride: int = 1, *, first: bool = False) -> Cost:
        """Three with the small one, the stride in the last of them or the first; the first widens."""
        return self.widths((before, *[after] * LAYERS), stride, first=first)

    def narrow(self, before: int, after: int) -> Cost:
        """The same, of which only the last widens."""
        return self.widths((*[before] * LAYERS, after))

    def widths(self, channels: Sequence[int], stride: int = 1, *, first: bool = False) -> Cost:
        """Small ones with the given channels."""
        ones = [1] * (LAYERS - 1)
        return self._context.cost(name_stack(SMALL, channels, [stride, *ones] if first else [*ones, stride]))


def _list_convolutions(cost: Cost) -> tuple[LayerRow, ...]:
    return tuple(row for row in cost.layers if row.macs)


def _find_field(cost: Cost) -> Shape:
    return _list_convolutions(cost)[-1].receptive_field or ()


def _count_activations(cost: Cost) -> int:
    """Count the elements that the convolutions write."""
    return sum(row.activations for row in _list_convolutions(cost))


def format_channels(before: int, after: int) -> str:
    """Write the channels that go in and come out."""
    return f"{before} → {after}"


def build_field_table(counts: StackCounts) -> Table:
    """Build the table of receptive fields, with the stride in the last small convolution and in the first."""
    rows = []
    for stride in STRIDES:
        large, last = counts.large(*STEM, stride), counts.small(*STEM, stride)
        first = counts.small(*STEM, stride, first=True)
        rows.append(
            {"stride": stride, "large": _find_field(large)}
            | {"last": _find_field(last), "first": _find_field(first)}
        )
    return Table(
        title="Receptive field of one output point",
        columns=(
            Column(key="stride", heading="stride", kind="count"),
            Column(key="large", heading="one 7×7", kind="shape"),
            Column(key="last", heading="three 3×3, stride in the last", kind="shape"),
            Column(key="first", heading="three 3×3, stride in the first", kind="shape"),
        ),
        rows=tuple(rows),
    )


def build_parameter_table(counts: StackCounts) -> Table:
    """Build the table of parameters by channels, which grow in the first small convolution or the last."""
    rows = []
    for channels in CHANNELS:
        large, small, narrow = counts.large(*channels), counts.small(*channels), counts.narrow(*channels)
        rows.append(
            {
                "channels": format_channels(*channels),
                "large": large.params,
                "small": small.params,
                "ratio": Fraction(small.params, large.params),
                "narrow": narrow.params,
                "narrow_ratio": Fraction(narrow.params, large.params),
                "fewer": "fewer" if small.params < large.params else "more",
            }
        )
    return Table(
        title="Parameters, without biases",
        columns=(
            Column(key="channels", heading="channels"),
            Column(key="large", heading="one 7×7", kind="count"),
            Column(key="small", heading="three 3×3", kind="count"),
            Column(key="ratio", heading="ratio", kind="times"),
            Column(key="fewer", heading="three 3×3 have"),
            Column(key="narrow", heading="three 3×3, widened in the last", kind="count"),
            Column(key="narrow_ratio", heading="ratio", kind="times"),
        ),
        rows=tuple(rows),
    )


def build_cost_table(counts: StackCounts, unit: str) -> Table:
    """Build the table of costs by channels and stride."""
    rows = []
    for channels in COMPARED:
        for stride in STRIDES:
            large, last = counts.large(*channels, stride), counts.small(*channels, stride)
            first = counts.small(*channels, stride, first=True)
            rows.append(
                {
                    "channels": format_channels(*channels),
                    "stride": stride,
                    "large": large.macs,
                    "last": last.macs,
                    "last_ratio": Fraction(last.macs, large.macs),
                    "first": first.macs,
                    "first_ratio": Fraction(first.macs, large.macs),
                    "written": Fraction(_count_activations(last), _count_activations(large)),
                }
            )
    side = counts.large(*STEM).trace.inputs[0].shape[-1]
    return Table(
        title=f"{unit} on an image of {side}×{side}",
        columns=(
            Column(key="channels", heading="channels", repeats=False),
            Column(key="stride", heading="stride", kind="count"),
            Column(key="large", heading="one 7×7", kind="count"),
            Column(key="last", heading="three 3×3, stride in the last", kind="count"),
            Column(key="last_ratio", heading="ratio", kind="times"),
            Column(key="first", heading="stride in the first", kind="count"),
            Column(key="first_ratio", heading="ratio", kind="times"),
            Column(key="written", heading="activations, stride in the last", kind="times"),
        ),
        rows=tuple(rows),
    )


def build_stem_table(counts: StackCounts, unit: str) -> Table:
    """Build the table of what could stand in place of ResNet's first convolution."""
    stems = (
        ("one 7×7, as in ResNet", counts.large(*STEM, 2)),
        ("three 3×3, stride in the last", counts.small(*STEM, 2)),
        ("three 3×3, stride in the first", counts.small(*STEM, 2, first=True)),
        (
            "three 3×3 of 32, 32 and 64 channels, stride in the first",
            counts.widths(NARROW_STEM, 2, first=True),
        ),
    )
    usual = stems[0][1]
    return Table(
        title="Stems from 3 to 64 channels at stride 2",
        columns=(
            Column(key="stem", heading="stem"),
            Column(key="field", heading="receptive field", kind="shape"),
            Column(key="params", heading="parameters", kind="count"),
            Column(key="params_ratio", heading="ratio", kind="times"),
            Column(key="macs", heading=unit, kind="count"),
            Column(key="macs_ratio", heading="ratio", kind="times"),
        ),
        rows=tuple(
            {
                "stem": name,
                "field": _find_field(cost),
                "params": cost.params,
                "params_ratio": Fraction(cost.params, usual.params),
                "macs": cost.macs,
                "macs_ratio": Fraction(cost.macs, usual.macs),
            }
            for name, cost in stems
        ),
    )


def list_first_layers(cost: Cost, side: int) -> tuple[LayerRow, ...]:
    """List the convolutions and poolings up to the first whose feature maps have a side no larger."""

    def list_rows() -> Iterator[LayerRow]:
        for row in cost.layers:
            if row.kernel:
                yield row
                if row.output_shape[-1] <= side:
                    return

    return tuple(list_rows())


def build_first_layers_table(networks: dict[str, tuple[LayerRow, ...]], unit: str) -> Table:
    """Build the table of the first layers of networks."""
    return Table(
        title="The first layers, until the feature maps have a quarter of the image's side",
        columns=(
            Column(key="model", heading="network", repeats=False),
            Column(key="name", heading="layer"),
            Column(key="kernel", heading="kernel", kind="shape"),
            Column(key="output_shape", heading="output", kind="shape"),
            Column(key="params", heading="parameters", kind="count"),
            Column(key="macs", heading=unit, kind="count"),
            Column(key="receptive_field", heading="receptive field", kind="shape"),
            Column(key="effective_stride", heading="effective stride", kind="step"),
        ),
        rows=tuple(_build_layer_row(model, row) for model, rows in networks.items() for row in rows),
    )


def _build_layer_row(model: str, row: LayerRow) -> Row:
    keys = ("name", "kernel", "output_shape", "params", "macs", "receptive_field", "effective_stride")
    return {"model": model} | {key: getattr(row, key) for key in keys}
