"""Three 3×3 convolutions against one 7×7: what texts on these networks claim, counted."""

from fractions import Fraction

from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.cost.layers import LayerRow
from resflops.report import kernel_tables
from resflops.report.context import Context
from resflops.report.kernel_tables import COMPARED, LARGE, LAYERS, SMALL, STEM, STRIDES, StackCounts
from resflops.report.markdown import fill, show
from resflops.report.page import Document, Page
from resflops.report.paper_pair import LARGER, SMALLER
from resflops.report.picture import Picture
from resflops.report.pictures import kernels as drawing
from resflops.tables.table import format_cost_heading

__all__ = ["PAGE", "build_picture"]

PATH = "kernels.md"

CLAIMS = {"more": "81 %", "times": "5.4"}
"""What Simonyan & Zisserman 2014 and He et al. 2018 print: how many more parameters one large kernel has than
three small ones, and how many times as expensive it is as one small one."""


def build_picture(counts: StackCounts, networks: dict[str, tuple[LayerRow, ...]], unit: str) -> Picture:
    """Build the picture: ratios at every stride, and the first layers of the two networks."""
    return Picture(
        name="kernels",
        data=drawing.Kernels(
            unit=unit,
            strides=STRIDES,
            pairs=tuple(
                drawing.Pair(
                    channels=kernel_tables.format_channels(*channels),
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
    counts, unit = StackCounts(context), format_cost_heading(find_convention(DEFAULT_CONVENTION))
    residual, vgg = context.cost(SMALLER), context.cost(LARGER)
    side = residual.trace.inputs[0].shape[-1] // 4
    networks = {cost.model: kernel_tables.list_first_layers(cost, side) for cost in (residual, vgg)}
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
        "fields": kernel_tables.build_field_table(counts),
        "parameters": kernel_tables.build_parameter_table(counts),
        "costs": kernel_tables.build_cost_table(counts, unit),
        "stems": kernel_tables.build_stem_table(counts, unit),
        "first_layers": kernel_tables.build_first_layers_table(networks, unit),
        "picture": show(picture, path=PATH),
        "specs": {
            "small": kernel_tables.name_stack(SMALL, (STEM[0], *[STEM[1]] * LAYERS), (1, 1, 2)),
            "large": kernel_tables.name_stack(LARGE, STEM, (2,)),
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


def _find_most_widths(counts: StackCounts, channels: int) -> int:
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
