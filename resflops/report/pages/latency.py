"""What was measured: a page for each stored series of measurements, with its pictures."""

from collections.abc import Iterator

from resflops.latency.measurements import Measurements
from resflops.report.context import MEASUREMENTS, Context
from resflops.report.environment import Versions
from resflops.report.latency_tables import build_ratio_table, build_side_table
from resflops.report.markdown import fill, show
from resflops.report.page import Document, Page
from resflops.report.paper_pair import LARGER, PLAIN, SMALLER, PaperPair
from resflops.report.picture import Picture
from resflops.report.pictures import ratios, roofline
from resflops.report.reproduction import find_printed_figure
from resflops.report.timed import build_ratios, build_roofline
from resflops.tables.latency import build_latency_table

__all__ = ["PAGE", "build_document"]

PATH = "latency.md"


def _build_pictures(name: str, measurements: Measurements, pair: PaperPair) -> Iterator[Picture]:
    compared, roofs = build_ratios(pair), build_roofline(measurements)
    if compared:
        yield Picture(
            name=f"{name}-ratios",
            data=compared,
            draw=ratios.draw,
            alt=f"Under each setting on {compared.device} "
            f"the ratio of the times of {compared.larger} and {compared.smaller}, "
            "beside the ratio of their multiply-accumulates; "
            "the numbers stand in the first table of this page.",
        )
    if roofs:
        yield Picture(
            name=f"{name}-roofline",
            data=roofs,
            draw=roofline.draw,
            alt=f"Floating-point operations per second that each network reached on {roofs.device} "
            "against its arithmetic intensity, beside the measured peaks of computing and of memory, "
            f"which {sum(len(roof.above) for roof in roofs.roofs)} of "
            f"{sum(len(roof.spots) for roof in roofs.roofs)} marks pass.",
        )


def build_document(
    measurements: Measurements, pair: PaperPair, *, name: str, path: str, made_with: Versions
) -> Document:
    """Build the page of one series of measurements.

    Args:
        measurements: the series.
        pair: the paper's two networks in it.
        name: the name that its pictures are called after.
        path: the path of the page.
        made_with: the versions that the foot of the page names.
    """
    pictures = tuple(_build_pictures(name, measurements, pair))
    values = {
        "commands": list(dict.fromkeys(run.command for run in measurements.runs)),
        "effort": measurements.effort,
        "pair": pair,
        "smaller": SMALLER,
        "larger": LARGER,
        "said": {
            "plain": find_printed_figure(PLAIN),
            "plain_part": find_printed_figure(PLAIN, relative_to=LARGER),
            "vgg": find_printed_figure(LARGER),
        },
        "ratios": build_ratio_table(pair),
        "sides": build_side_table(pair),
        "measured": build_latency_table([measurements]),
        "pictures": [show(picture, path=path) for picture in pictures],
    }
    text = fill("latency.md.jinja", values, made_with=made_with)
    return Document(path=path, text=text, pictures=pictures)


def _build(context: Context) -> tuple[Document, ...]:
    only = len(context.measurements) == 1
    documents = tuple(
        build_document(
            measurements,
            context.paper_pairs[file],
            name=file.stem,
            path=PATH if only else f"{file.stem}.md",
            made_with=context.environment,
        )
        for file, measurements in context.measurements.items()
    )
    if only:
        return documents
    devices = [measurements.environment.device for measurements in context.measurements.values()]
    values = {"pages": [(each.path, device) for each, device in zip(documents, devices, strict=True)]}
    text = fill("latencies.md.jinja", values, made_with=context.environment)
    return (Document(path=PATH, text=text), *documents)


PAGE = Page(
    path=PATH,
    title="Latency beside FLOPs",
    summary="how long the networks take on the devices measured, and why the times do not have the ratio of "
    "the FLOPs",
    build=_build,
    data=MEASUREMENTS,
    command="resflops bench --models resnet34 vgg19 --save reports/data/latency-NAME.json",
)
