"""The index, which is also the answer to the question that the project starts from."""

from collections.abc import Sequence
from fractions import Fraction

from resflops.report import reproduction
from resflops.report.context import DATA, Context
from resflops.report.markdown import fill, show
from resflops.report.page import Document, Page
from resflops.report.pages.models import build_convention_comparison
from resflops.report.pages.reproduction import SENTENCE, build_stage_picture, build_stages
from resflops.report.pictures.ratios import Ratios

__all__ = ["PATH", "build_index"]

PATH = "README.md"


def build_index(
    context: Context, *, pages: Sequence[Page], lacking: Sequence[Page], timed: Sequence[Ratios] = ()
) -> Document:
    """Build the first page that a reader sees.

    Args:
        context: the counts.
        pages: the pages that there are.
        lacking: the pages whose raw data are not there yet.
        timed: how long the two networks took, on each device that they were measured on.
    """
    residual, _, vgg = (context.cost(spec) for spec in SENTENCE)
    activations = [sum(row.activations for row in cost.layers) for cost in (residual, vgg)]
    picture = build_stage_picture(context)
    values = {
        "residual": residual,
        "vgg": vgg,
        "input": residual.trace.inputs[0].shape,
        "cheaper": Fraction(vgg.macs, residual.macs),
        "smaller": Fraction(vgg.params, residual.params),
        "lighter": Fraction(activations[1], activations[0]),
        "activations": activations,
        "part": Fraction(residual.macs, vgg.macs),
        "printed": reproduction.find_printed_verdict(context, residual.model, relative_to=vgg.model),
        "agrees": reproduction.AGREES,
        "conventions": build_convention_comparison([residual, vgg]),
        "large": reproduction.find_large_maps(build_stages(context), residual.model, vgg.model),
        "picture": show(picture, path=PATH),
        "pages": pages,
        "lacking": lacking,
        "data": DATA,
        # On another input the two networks do another ratio of work.
        "timed": [each for each in timed if each.macs == vgg.macs / residual.macs],
    }
    return Document(
        path=PATH, text=fill("index.md.jinja", values, made_with=context.environment), pictures=(picture,)
    )
