"""What was measured: a page for each stored series of measurements, with its pictures."""

from collections.abc import Iterator

from msgspec.structs import replace

from resflops.latency.measurements import Measurements
from resflops.render.formats import format_note
from resflops.report.context import DATA, MEASUREMENTS, Context
from resflops.report.environment import Versions
from resflops.report.latency_tables import (
    build_answer_table,
    build_network_table,
    build_ratio_table,
    build_side_table,
)
from resflops.report.markdown import fill, show
from resflops.report.page import Document, Page
from resflops.report.paper_pair import LARGER, PLAIN, SMALLER, PaperPair
from resflops.report.picture import Picture
from resflops.report.pictures import ratios, roofline
from resflops.report.reproduction import find_printed_figure
from resflops.report.timed import build_ratios, build_roofline
from resflops.tables.latency import build_latency_table
from resflops.tables.table import select_for_people

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
    measured = build_latency_table([measurements])
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
        "answers": build_answer_table(pair) if pair.settings else None,
        "ratios": build_ratio_table(pair),
        "sides": build_side_table(pair),
        "networks": build_network_table(measurements),
        "number": len(measurements.rows),
        # What it was measured on stands in the page, also where the table is folded.
        "measured": replace(measured, intro=()),
        "conditions": [format_note(note) for note in select_for_people(measured.intro)],
        "data": f"reports/{DATA}/{name}.json",
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
    return documents if only else (_build_overview(context), *documents)


def _build_overview(context: Context) -> Document:
    """Build the page that leads to the others: what each device says, the one with most to say first."""
    devices: dict[str, list[dict[str, object]]] = {}
    usual: dict[str, dict[str, str]] = {}
    for file, measurements in sorted(context.measurements.items(), key=lambda each: -len(each[1].rows)):
        device, facts = measurements.environment.device, dict(measurements.environment.list_facts())
        known = usual.setdefault(device, facts)
        devices.setdefault(device, []).append(
            {
                "path": f"{file.stem}.md",
                "pair": context.paper_pairs[file],
                "flags": "; ".join(
                    f"{name} {fact}" for name, fact in facts.items() if known.get(name) != fact
                ),
            }
        )
    values = {"devices": devices, "smaller": SMALLER, "larger": LARGER}
    return Document(path=PATH, text=fill("latencies.md.jinja", values, made_with=context.environment))


PAGE = Page(
    path=PATH,
    title="Latency beside FLOPs",
    summary="how long the networks take on the devices measured, and why the times do not have the ratio of "
    "the FLOPs",
    build=_build,
    data=MEASUREMENTS,
    command="resflops bench --models resnet34 vgg19 --save reports/data/latency-NAME.json",
)
