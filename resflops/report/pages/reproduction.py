"""Every published figure against ours, and the story of the ResNet paper's own table."""

from fractions import Fraction

from resflops.cost.convention import DEFAULT_CONVENTION, find_convention
from resflops.report import reproduction
from resflops.report.context import Context
from resflops.report.markdown import fill, show
from resflops.report.page import Document, Page
from resflops.report.paper_pair import LARGER, PLAIN, SMALLER
from resflops.report.picture import Picture
from resflops.report.pictures import stages
from resflops.tables.table import format_cost_heading

__all__ = ["PAGE", "SENTENCE", "build_stage_picture", "build_stages"]

PATH = "reproduction.md"

SENTENCE = (SMALLER, PLAIN, LARGER)
"""The networks that the paper's sentence is about."""


def build_stages(context: Context) -> stages.Stages:
    """Build the three networks side by side, by the size of the feature maps."""
    costs = [context.cost(spec) for spec in SENTENCE]
    return stages.stages_of(costs, unit=format_cost_heading(find_convention(DEFAULT_CONVENTION)))


def build_stage_picture(context: Context) -> Picture:
    """Build the picture of the same."""
    return Picture(
        name="stages",
        data=build_stages(context),
        draw=stages.draw,
        alt="Bars of the multiply-accumulates of ResNet-34, plain-34 and VGG-19 "
        "at each size of the feature maps; "
        "the numbers stand in the table stage by stage of reproduction.md.",
    )


def _build(context: Context) -> tuple[Document, ...]:
    residual, plain, vgg = (context.cost(spec) for spec in SENTENCE)
    picture = build_stage_picture(context)
    said = {
        "plain": reproduction.find_printed_verdict(context, plain.model),
        "plain_part": reproduction.find_printed_verdict(context, plain.model, relative_to=vgg.model),
        "residual": reproduction.find_printed_verdict(context, residual.model),
        "residual_part": reproduction.find_printed_verdict(context, residual.model, relative_to=vgg.model),
        "vgg": reproduction.find_printed_verdict(context, vgg.model),
        "vgg16": reproduction.find_printed_verdict(context, "vgg16"),
        "then": reproduction.find_printed_verdict(context, "resnet50"),
        "today": reproduction.find_printed_verdict(context, "resnet50_v1_5", source="Xie et al. 2016"),
    }
    values = {
        "said": said,
        "agrees": reproduction.AGREES,
        "residual": residual,
        "plain": plain,
        "vgg": vgg,
        "cheaper": Fraction(vgg.macs, residual.macs),
        "part": Fraction(residual.macs, vgg.macs),
        "plain_part": Fraction(plain.macs, vgg.macs),
        "large": reproduction.find_large_maps(build_stages(context), residual.model, vgg.model),
        "picture": show(picture, path=PATH),
        "sentence": reproduction.build_headline_table(context, SENTENCE),
        "by_stage": reproduction.build_stage_table(build_stages(context), *SENTENCE),
        "places": reproduction.build_rounding_table(context),
        "fits": reproduction.count_rounding_fits(context),
        "strides": reproduction.build_stride_placement_table(context),
        "strided": reproduction.build_strided_layers_table(context),
        "vggs": reproduction.build_fully_connected_table(context),
        "keras": reproduction.build_keras_table(context),
        "shortcuts": reproduction.build_shortcut_table(context),
        "all_figures": reproduction.build_figure_tables(context),
        "tally": reproduction.build_agreement_table(context),
    }
    return (
        Document(
            path=PATH,
            text=fill("reproduction.md.jinja", values, made_with=context.environment),
            pictures=(picture,),
        ),
    )


PAGE = Page(
    path=PATH,
    title="Every published figure against ours",
    summary="what papers and packages print for these networks, next to the exact count: whether they "
    "agree, and if not, why",
    build=_build,
)
