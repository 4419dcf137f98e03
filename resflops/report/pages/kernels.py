"""Three 3×3 convolutions against one 7×7: what texts on these networks claim, counted."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from resflops.cost import Cost
from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.cost.layers import LayerRow
from resflops.records import Shape
from resflops.report.context import Context
from resflops.report.markdown import fill, show
from resflops.report.page import Document, Page
from resflops.report.paper_pair import LARGER, SMALLER
from resflops.report.picture import Picture
from resflops.report.pictures import kernels as drawing
from resflops.tables import Column, Table
from resflops.tables.table import Row, format_cost_heading

__all__ = ["PAGE", "build_picture"]

PATH = "kernels.md"

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


CLAIMS = {"more": "81 %", "times": "5.4"}
"""What Simonyan & Zisserman 2014 and He et al. 2018 print: how many more parameters one large kernel has than
three small ones, and how many times as expensive it is as one small one."""


def _name_stack(kernel: int, channels: Sequence[int], strides: Sequence[int]) -> str:
    lists = (
        f"{name}=[{','.join(map(str, of))}]" for name, of in (("channels", channels), ("strides", strides))
    )
    return f"resflops.models.kernels:stack,kernel={kernel},{','.join(lists)}"


class _Counts:
    """Counts convolutions in a row; ``context`` keeps what was counted."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def large(self, before: int, after: int, stride: int = 1) -> Cost:
        """One convolution with the large kernel."""
        return self._context.cost(_name_stack(LARGE, (before, after), (stride,)))

    def single(self, before: int, after: int) -> Cost:
        """One convolution with the small kernel."""
        return self._context.cost(_name_stack(SMALL, (before, after), (1,)))

    def small(self, before: int, after: int, stride: int = 1, *, first: bool = False) -> Cost:
        """Three with the small one, the stride in the last of them or the first; the first widens."""
        return self.widths((before, *[after] * LAYERS), stride, first=first)

    def narrow(self, before: int, after: int) -> Cost:
        """The same, of which only the last widens."""
        return self.widths((*[before] * LAYERS, after))

    def widths(self, channels: Sequence[int], stride: int = 1, *, first: bool = False) -> Cost:
        """Small ones with the given channels."""
        ones = [1] * (LAYERS - 1)
        return self._context.cost(_name_stack(SMALL, channels, [stride, *ones] if first else [*ones, stride]))


def _list_convolutions(cost: Cost) -> tuple[LayerRow, ...]:
    return tuple(row for row in cost.layers if row.macs)


def _find_field(cost: Cost) -> Shape:
    return _list_convolutions(cost)[-1].receptive_field or ()


def _count_activations(cost: Cost) -> int:
    """Count the elements that the convolutions write."""
    return sum(row.activations for row in _list_convolutions(cost))


def _format_channels(before: int, after: int) -> str:
    return f"{before} → {after}"


def _build_field_table(counts: _Counts) -> Table:
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


def _build_parameter_table(counts: _Counts) -> Table:
    rows = []
    for channels in CHANNELS:
        large, small, narrow = counts.large(*channels), counts.small(*channels), counts.narrow(*channels)
        rows.append(
            {
                "channels": _format_channels(*channels),
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


def _build_cost_table(counts: _Counts, unit: str) -> Table:
    rows = []
    for channels in COMPARED:
        for stride in STRIDES:
            large, last = counts.large(*channels, stride), counts.small(*channels, stride)
            first = counts.small(*channels, stride, first=True)
            rows.append(
                {
                    "channels": _format_channels(*channels),
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


def _build_stem_table(counts: _Counts, unit: str) -> Table:
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


def _list_first_layers(cost: Cost, side: int) -> tuple[LayerRow, ...]:
    """List the convolutions and poolings up to the first whose feature maps have a side no larger."""

    def list_rows() -> Iterator[LayerRow]:
        for row in cost.layers:
            if row.kernel:
                yield row
                if row.output_shape[-1] <= side:
                    return

    return tuple(list_rows())


def _build_first_layers_table(networks: dict[str, tuple[LayerRow, ...]], unit: str) -> Table:
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


def build_picture(counts: _Counts, networks: dict[str, tuple[LayerRow, ...]], unit: str) -> Picture:
    """Build the picture: ratios at every stride, and the first layers of the two networks."""
    return Picture(
        name="kernels",
        data=drawing.Kernels(
            unit=unit,
            strides=STRIDES,
            pairs=tuple(
                drawing.Pair(
                    channels=_format_channels(*channels),
                    ratios=tuple(
                        counts.small(*channels, stride).macs / counts.large(*channels, stride).macs
                        for stride in STRIDES
                    ),
                )
                for channels in COMPARED
            ),
            layers=tuple(
                drawing.Layer(model=model, name=row.name, macs=row.macs, field=row.receptive_field or ())
                for model, rows in networks.items()
                for row in rows
                if row.macs
            ),
        ),
        draw=drawing.draw,
        alt="Left, the multiply-accumulates of three 3×3 convolutions as a multiple of those of one 7×7 with "
        "the same receptive field, by channels and stride; right, the multiply-accumulates of the first "
        "convolutions of ResNet-34 and VGG-19. The numbers are in the tables of this page.",
    )


def _build(context: Context) -> tuple[Document, ...]:
    counts, unit = _Counts(context), format_cost_heading(find_convention(DEFAULT_CONVENTION))
    residual, vgg = context.cost(SMALLER), context.cost(LARGER)
    side = residual.trace.inputs[0].shape[-1] // 4
    networks = {cost.model: _list_first_layers(cost, side) for cost in (residual, vgg)}
    first = [sum(row.macs for row in rows) for rows in networks.values()]
    picture = build_picture(counts, networks, unit)
    equal = (64, 64)
    values = {
        "claims": CLAIMS,
        "equal": {"small": counts.small(*equal), "large": counts.large(*equal)},
        "saved": Fraction(counts.large(*equal).params, counts.small(*equal).params) - 1,
        "stem": {"small": counts.small(*STEM), "large": counts.large(*STEM)},
        "stem_ratio": Fraction(counts.small(*STEM).params, counts.large(*STEM).params),
        "single_ratio": Fraction(counts.large(*equal).macs, counts.single(*equal).macs),
        "strided_ratio": Fraction(counts.small(*equal, 2).macs, counts.large(*equal, 2).macs),
        "break_even": _find_break_even(),
        "most_widths": _find_most_widths(counts, STEM[0]),
        "side": side,
        "first": first,
        "first_ratio": Fraction(first[1], first[0]),
        "pixels": [rows[-1].receptive_field for rows in networks.values()],
        "fields": _build_field_table(counts),
        "parameters": _build_parameter_table(counts),
        "costs": _build_cost_table(counts, unit),
        "stems": _build_stem_table(counts, unit),
        "first_layers": _build_first_layers_table(networks, unit),
        "picture": show(picture, path=PATH),
        "specs": {
            "small": _name_stack(SMALL, (STEM[0], *[STEM[1]] * LAYERS), (1, 1, 2)),
            "large": _name_stack(LARGE, STEM, (2,)),
        },
    }
    text = fill("kernels.md.jinja", values, made_with=context.environment)
    return (Document(path=PATH, text=text, pictures=(picture,)),)


def _find_break_even() -> Fraction:
    """Find the ratio of input to output channels above which three small kernels have fewer parameters.

    With c channels in and d out, 9·c·d + 2·9·d² < 49·c·d.

    >>> _find_break_even()
    Fraction(9, 20)
    """
    return Fraction((LAYERS - 1) * SMALL**2, LARGE**2 - SMALL**2)


def _find_most_widths(counts: _Counts, channels: int) -> int:
    """Find the most output channels with which three small kernels have fewer parameters than one large."""
    after = 1
    while counts.small(channels, after + 1).params < counts.large(channels, after + 1).params:
        after += 1
    return after


PAGE = Page(
    path=PATH,
    title="Three 3×3 convolutions against one 7×7",
    summary="receptive field, parameters and multiply-accumulates by channels and stride: when small kernels "
    "are cheaper, when they are not, and what ResNet's stem costs beside VGG-19's first layers",
    build=_build,
)
