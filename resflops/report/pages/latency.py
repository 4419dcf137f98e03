"""What was measured: a page for each stored series of measurements, with its pictures."""

from collections.abc import Iterator
from pathlib import Path

from resflops.latency.measurements import Measurements
from resflops.report.context import Context
from resflops.report.latency_markdown import latency_report
from resflops.report.markdown import Markdown, filled, shown
from resflops.report.page import Document, Page
from resflops.report.picture import Picture
from resflops.report.pictures import ratios, roofline
from resflops.report.timed import FILES, ratios_of, roofline_of

__all__ = ["PAGE"]

PATH = "latency.md"


def _pictures(stem: str, measurements: Measurements) -> Iterator[Picture]:
    compared, roofs = ratios_of(measurements), roofline_of(measurements)
    if compared:
        yield Picture(
            name=f"{stem}-ratios",
            data=compared,
            draw=ratios.draw,
            alt=f"Under each setting on {compared.device} the ratio of the times of {compared.larger} and "
            f"{compared.smaller}, beside the ratio of their multiply-accumulates; the numbers stand in the "
            "first table of this page.",
        )
    if roofs:
        yield Picture(
            name=f"{stem}-roofline",
            data=roofs,
            draw=roofline.draw,
            alt=f"Floating-point operations per second that each network reached on {roofs.device} against "
            "its arithmetic intensity, beside the measured peaks of computing and of memory, which "
            f"{sum(len(roof.above) for roof in roofs.roofs)} of "
            f"{sum(len(roof.spots) for roof in roofs.roofs)} marks pass.",
        )


def _document(file: Path, path: str, context: Context) -> Document:
    measurements = Measurements.load(file)
    pictures = tuple(_pictures(file.stem, measurements))
    head, _, rest = latency_report(measurements).partition("\n## ")
    values = {
        "head": Markdown(head.strip("\n")),
        "pictures": [shown(picture, path=path) for picture in pictures],
        "rest": Markdown("## " + rest.strip("\n")),
    }
    return Document(path=path, text=filled("measured.md.jinja", context, values), pictures=pictures)


def _build(context: Context) -> tuple[Document, ...]:
    files = context.data(FILES)
    if len(files) == 1:
        return (_document(files[0], PATH, context),)
    documents = [_document(file, f"{file.stem}.md", context) for file in files]
    values = {
        "pages": [
            (document.path, Measurements.load(file).environment.device)
            for document, file in zip(documents, files, strict=True)
        ]
    }
    return (Document(path=PATH, text=filled("latency.md.jinja", context, values)), *documents)


PAGE = Page(
    path=PATH,
    title="Latency beside FLOPs",
    summary="how long the networks take where they were measured, and why that is not the ratio of "
    "their FLOPs",
    build=_build,
    data=FILES,
    command="resflops bench --models resnet34 vgg19 --save reports/data/latency-NAME.json",
)
