"""Every published figure against ours, and the story of the ResNet paper's own table."""

from fractions import Fraction

from resflops.cost.convention import DEFAULT_CONVENTION, convention
from resflops.report import evidence
from resflops.report.markdown import filled, shown
from resflops.report.material import Material
from resflops.report.page import Document, Page
from resflops.report.picture import Picture
from resflops.report.pictures import stages
from resflops.tables.table import cost_heading

__all__ = ["PAGE", "SENTENCE", "by_stage", "stage_picture"]

PATH = "reproduction.md"

SENTENCE = ("resnet34", "plain34", "vgg19")
"""The networks that the paper's sentence is about."""


def by_stage(material: Material) -> stages.Stages:
    """The three networks side by side, by the size of the feature maps."""
    costs = [material.cost(spec) for spec in SENTENCE]
    return stages.stages_of(costs, unit=cost_heading(convention(DEFAULT_CONVENTION)))


def stage_picture(material: Material) -> Picture:
    """The same as a picture."""
    return Picture(
        name="stages",
        data=by_stage(material),
        draw=stages.draw,
        alt="Bars of the multiply-accumulates of ResNet-34, plain-34 and VGG-19 at each size of the feature "
        "maps; the numbers stand in the table stage by stage of reproduction.md.",
    )


def _build(material: Material) -> tuple[Document, ...]:
    residual, plain, vgg = (material.cost(spec) for spec in SENTENCE)
    picture = stage_picture(material)
    said = {
        "plain": evidence.printed_verdict(material, plain.model),
        "plain_part": evidence.printed_verdict(material, plain.model, relative_to=vgg.model),
        "residual": evidence.printed_verdict(material, residual.model),
        "residual_part": evidence.printed_verdict(material, residual.model, relative_to=vgg.model),
        "vgg": evidence.printed_verdict(material, vgg.model),
        "vgg16": evidence.printed_verdict(material, "vgg16"),
        "then": evidence.printed_verdict(material, "resnet50"),
        "today": evidence.printed_verdict(material, "resnet50_v1_5", source="Xie et al. 2016"),
    }
    values = {
        "said": said,
        "agrees": evidence.AGREES,
        "residual": residual,
        "plain": plain,
        "vgg": vgg,
        "cheaper": Fraction(vgg.macs, residual.macs),
        "part": Fraction(residual.macs, vgg.macs),
        "plain_part": Fraction(plain.macs, vgg.macs),
        "large": evidence.large_maps(by_stage(material), residual.model, vgg.model),
        "picture": shown(picture, path=PATH),
        "sentence": evidence.sentence_table(material, SENTENCE),
        "by_stage": evidence.stage_table(by_stage(material), *SENTENCE),
        "places": evidence.places_table(material),
        "fits": evidence.fits(material),
        "strides": evidence.stride_table(material),
        "strided": evidence.strided_layers_table(material),
        "vggs": evidence.fully_connected_table(material),
        "keras": evidence.keras_table(material),
        "shortcuts": evidence.shortcut_table(material),
        "all_figures": evidence.figure_tables(material),
        "tally": evidence.tally(material),
    }
    return (Document(path=PATH, text=filled("reproduction.md.jinja", material, values), pictures=(picture,)),)


PAGE = Page(
    path=PATH,
    title="Every published figure against ours",
    summary="what papers and packages print of these networks, the exact count beside it, whether they "
    "agree, and why where they do not",
    build=_build,
)
