"""Memory before it is spent: the paper's two networks, and how near the figures are to an allocator's."""

from fractions import Fraction
from typing import Any

from resflops.peak_memory.comparison import TOOLS, Comparison, PairFigures
from resflops.peak_memory.records import Kind
from resflops.peak_memory.sizes import format_size
from resflops.report.context import DATA, Context
from resflops.report.gpu_memory import GpuMemory, load_gpu_memory
from resflops.report.markdown import fill, show
from resflops.report.memory_tables import (
    build_gpu_table,
    build_pair_table,
    build_passes_table,
    build_seconds_table,
    build_tools_table,
    build_workspace_table,
    find_speed_ratios,
    list_pairs,
)
from resflops.report.page import Document, Page
from resflops.report.picture import Picture
from resflops.report.pictures import memory_pair

__all__ = ["PAGE"]

PATH = "memory.md"
FOUND = "memory-cpu.json"
ON_GPUS = "memory-*-compared.json"

NAMES = {"resnet34": "ResNet-34", "vgg19": "VGG-19"}
"""What the paper calls the two networks."""

PARTS: dict[str, tuple[Kind, ...]] = {
    "weights": ("parameters", "buffers"),
    "optimiser state": ("optimizer",),
    "gradients of weights": ("gradients",),
    "activations kept for backward": ("activations",),
    "temporary": ("temporary",),
    "input": ("input",),
}
"""What the picture shows, with the kinds of blocks that belong to it."""


def _build(context: Context) -> tuple[Document, ...]:
    (file,) = context.data(FOUND)
    found = Comparison.load(file)
    picture = _build_picture(found)
    gpus = [load_gpu_memory(each) for each in context.data(ON_GPUS)]
    values = {
        **_answer(found),
        **_judge(found),
        "pair": build_pair_table(found),
        "passes": build_passes_table(found),
        "workspace": build_workspace_table(found),
        "tools": build_tools_table(found),
        "seconds": build_seconds_table(found),
        "ratios": list(find_speed_ratios(found)),
        "large": found.large,
        "size": format_size,
        "gpus": [_describe_gpu(gpu) for gpu in gpus],
        "torch": found.torch,
        "batch": found.batch,
        "number": len(found.networks),
        "data": f"reports/{DATA}/{FOUND}",
        "command": PAGE.command,
        "picture": show(picture, path=PATH),
    }
    text = fill("memory.md.jinja", values, made_with=context.environment)
    return (Document(path=PATH, text=text, pictures=(picture,)),)


def _answer(found: Comparison) -> dict[str, Any]:
    """Say what the larger of the two networks has of the memory, at the smallest and the largest batch."""
    pairs = list_pairs(found)
    batches = [pairs[0][0].batch, pairs[-1][0].batch]

    def compare(way: str) -> list[Fraction]:
        of_way = {smaller.batch: (smaller, larger) for smaller, larger in pairs if smaller.way == way}
        return [Fraction(of_way[batch][1].peak, of_way[batch][0].peak) for batch in batches]

    smaller, larger = pairs[0]
    return {
        "smaller": NAMES.get(smaller.model, smaller.model),
        "larger": NAMES.get(larger.model, larger.model),
        "parameters": Fraction(larger.parameters, smaller.parameters),
        "batches": batches,
        "ratio": {way: compare(way) for way in ("inference", "training", "training, AdamW")},
        "share": [_compute_weights_share(each) for each in (smaller, larger)],
    }


def _compute_weights_share(figures: PairFigures) -> float:
    return figures.weights / figures.peak


def _judge(found: Comparison) -> dict[str, Any]:
    """Sum up how near the figures are to the truth."""
    known = [each for each in found.passes if each.rules is not None]
    rules = [abs((each.rules or 0) / each.without_workspace - 1) for each in known]
    off = {
        tool: [
            said / each.allocator - 1
            for each in found.passes
            if isinstance(said := each.tools.get(tool), int)
        ]
        for tool in TOOLS
    }
    failed = dict.fromkeys(
        each.network for each in found.passes if isinstance(each.tools.get("MemTracker"), str)
    )
    return {
        "count": len(found.passes),
        "alike": sum(each.alike for each in found.passes),
        "equal": sum(each.shapes == each.real for each in found.passes),
        "exact": sum(each.shapes == each.without_workspace for each in found.passes),
        "most_off": max(abs(each.difference_without_workspace) for each in found.passes),
        "most_missing": max(abs(each.difference) for each in found.passes),
        "near": sum(abs(each.difference) <= NEAR for each in found.passes),
        "rules": {
            "count": len(rules),
            "near": sum(each <= NEAR_BY_RULES for each in rules),
            "most": max(rules, default=0.0),
        },
        "off": {tool: {"least": min(each), "most": max(each)} for tool, each in off.items() if each},
        "failed": list(failed),
    }


NEAR, NEAR_BY_RULES = 0.02, 0.05


def _describe_gpu(gpu: GpuMemory) -> dict[str, Any]:
    runs = gpu.results
    return {
        "device": gpu.device,
        "torch": gpu.torch.partition("+")[0],
        "count": len(runs),
        "near": sum(abs(each.predicted.allocated / each.measured.allocated - 1) <= NEAR for each in runs),
        "most": max(abs(each.predicted.allocated / each.measured.allocated - 1) for each in runs),
        "networks": len({each.network for each in runs}),
        "table": build_gpu_table([gpu]),
    }


def _build_picture(found: Comparison) -> Picture:
    pairs = list_pairs(found)
    batches = dict.fromkeys(smaller.batch for smaller, _ in pairs)
    panels = tuple(
        memory_pair.Panel(
            title=f"Batch {batch}",
            bars=tuple(
                memory_pair.Bar(
                    model=each.model,
                    way=each.way,
                    parts=tuple(sum(each.split.get(kind, 0) for kind in kinds) for kinds in PARTS.values()),
                    text=format_size(each.peak),
                )
                for pair in pairs
                if pair[0].batch == batch
                for each in pair
            ),
        )
        for batch in batches
    )
    smaller, larger = pairs[0]
    return Picture(
        name="memory-pair",
        data=memory_pair.MemoryPair(parts=tuple(PARTS), panels=panels),
        draw=memory_pair.draw,
        alt=f"The peak memory of {smaller.model} and {larger.model} in inference and training, split into "
        f"{', '.join(PARTS)}; the sums stand in the first table of this page.",
    )


PAGE = Page(
    path=PATH,
    title="Memory before it is spent",
    summary="what memory the two networks need at their peak, and how near what is said before a run is to "
    "what an allocator counts during one",
    build=_build,
    data=FOUND,
    command=f"python tests/benchmarks/memory.py --save reports/data/{FOUND}",
)
