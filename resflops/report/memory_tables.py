"""The tables of the page of memory: the paper's pair, the truth beside what is said of it, seconds, a GPU."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from resflops.peak_memory.comparison import TOOLS, WAYS, Comparison, PairFigures
from resflops.peak_memory.sizes import format_size
from resflops.report.gpu_memory import GpuMemory
from resflops.tables import Column, Table
from resflops.tables.table import Kind, Row

__all__ = [
    "build_gpu_table",
    "build_pair_table",
    "build_passes_table",
    "build_seconds_table",
    "build_tools_table",
    "build_workspace_table",
]


def _build_columns(*columns: tuple[str, str, Kind]) -> tuple[Column, ...]:
    return tuple(Column(key=key, heading=heading, kind=kind) for key, heading, kind in columns)


def list_pairs(found: Comparison) -> tuple[tuple[PairFigures, PairFigures], ...]:
    """List the passes of the two networks, the smaller one first, in the order of batches and ways."""
    batches = sorted({each.batch for each in found.pair})
    return tuple(found.find_pair(way, batch) for batch in batches for way in WAYS)


def build_pair_table(found: Comparison) -> Table:
    """Build a row for each batch and way: what the two networks need."""
    pairs = list_pairs(found)
    rows: tuple[Row, ...] = tuple(
        {
            "batch": smaller.batch,
            "way": smaller.way,
            "smaller": format_size(smaller.peak),
            "larger": format_size(larger.peak),
            "ratio": larger.peak / smaller.peak,
            "smaller_above": format_size(smaller.above_weights),
            "larger_above": format_size(larger.above_weights),
            "ratio_above": larger.above_weights / smaller.above_weights,
        }
        for smaller, larger in pairs
    )
    names = [each.model for each in pairs[0]]
    return Table(
        title="Peak memory",
        columns=(
            Column(key="batch", heading="batch", kind="count", repeats=False),
            *_build_columns(
                ("way", "way", "text"),
                ("smaller", names[0], "text"),
                ("larger", names[1], "text"),
                ("ratio", "ratio", "times"),
                ("smaller_above", f"{names[0]}, above weights", "text"),
                ("larger_above", f"{names[1]}, above weights", "text"),
                ("ratio_above", "ratio", "times"),
            ),
        ),
        rows=rows,
    )


def build_passes_table(found: Comparison) -> Table:
    """Build a row for each pass: on shapes, what the allocator counted, and the rules on a trace."""
    rows: tuple[Row, ...] = tuple(
        {
            "network": each.network,
            "way": each.way,
            "shapes": each.shapes,
            "real": "the same" if each.real == each.shapes else f"{each.real - each.shapes:+,}",
            "without": each.shapes - each.without_workspace,
            "allocator": each.allocator,
            "difference": each.difference,
            "workspace": sum(each.workspace.values()),
            "rules": None if each.rules is None else each.rules / each.without_workspace - 1,
        }
        for each in found.passes
    )
    return Table(
        title=f"Peaks at batch {found.batch}, in bytes, with weights and input",
        columns=(
            Column(key="network", heading="network", repeats=False),
            *_build_columns(
                ("way", "way", "text"),
                ("shapes", "on shapes", "count"),
                ("real", "same watch, real pass", "text"),
                ("allocator", "CPU allocator", "count"),
                ("difference", "on shapes", "signed share"),
                ("workspace", "of it workspace at its peak", "count"),
                ("without", "on shapes, workspace left out", "signed"),
                ("rules", "by rules, the same", "signed share"),
            ),
        ),
        rows=rows,
    )


def build_tools_table(found: Comparison) -> Table:
    """Build a row for each pass: how far each tool is from the allocator, or why it says nothing."""
    rows: tuple[Row, ...] = tuple(
        {
            "network": each.network,
            "way": each.way,
            "allocator": format_size(each.allocator),
            "resflops": _tell(each.shapes, each.allocator),
            **{tool: _tell(each.tools.get(tool), each.allocator) for tool in TOOLS},
        }
        for each in found.passes
    )
    return Table(
        title="Differences from the allocator's peak, kernels' workspace included",
        columns=(
            Column(key="network", heading="network", repeats=False),
            *_build_columns(
                ("way", "way", "text"),
                ("allocator", "CPU allocator", "text"),
                *((tool, tool, "text") for tool in ("resflops", *TOOLS)),
            ),
        ),
        rows=rows,
    )


def _tell(said: int | str | None, truth: int) -> str:
    if isinstance(said, int):
        return f"{said / truth - 1:+.1%}".replace("-", "−").replace("%", " %")
    return said or ""


def build_workspace_table(found: Comparison, *, least: int = 1 << 20) -> Table:
    """Build a row for each op: the most workspace that any call of it took, in any of the networks."""
    most: dict[str, tuple[int, str]] = {}
    for each in found.networks:
        for op, size in each.largest_workspace.items():
            most[op] = max(most.get(op, (0, "")), (size, each.network))
    rows: tuple[Row, ...] = tuple(
        {"op": op, "size": format_size(size), "network": network}
        for op, (size, network) in sorted(most.items(), key=lambda item: -item[1][0])
        if size >= least
    )
    return Table(
        title="The most workspace of one call in training",
        columns=_build_columns(
            ("op", "op", "text"), ("size", "workspace", "text"), ("network", "in", "text")
        ),
        rows=rows,
    )


def build_seconds_table(found: Comparison) -> Table:
    """Build a row for each network: CPU time of each tool, and how many times as long as ours."""
    rows: list[Row] = []
    for each in found.networks:
        row: dict[str, object] = {"network": each.network}
        for way in ("inference", "training"):
            ours, theirs = each.seconds[f"resflops, {way}"], each.seconds.get(f"MemTracker, {way}")
            row |= {f"ours_{way}": ours, f"theirs_{way}": theirs}
            row[f"ratio_{way}"] = None if theirs is None else theirs / ours
        rows.append({**row, "torchinfo": each.seconds.get("torchinfo")})
    return Table(
        title=f"CPU time at batch {found.batch}",
        columns=_build_columns(
            ("network", "network", "text"),
            ("ours_inference", "inference, resflops", "seconds"),
            ("theirs_inference", "MemTracker", "seconds"),
            ("ratio_inference", "ratio", "times"),
            ("ours_training", "training, resflops", "seconds"),
            ("theirs_training", "MemTracker", "seconds"),
            ("ratio_training", "ratio", "times"),
            ("torchinfo", "torchinfo", "seconds"),
        ),
        rows=tuple(rows),
    )


def find_speed_ratios(found: Comparison) -> Iterable[float]:
    """Find how many times as long as ours MemTracker takes, for each network and way that it can do."""
    return [
        row[f"ratio_{way}"]
        for row in build_seconds_table(found).rows
        for way in ("inference", "training")
        if row[f"ratio_{way}"] is not None
    ]


def build_gpu_table(gpus: Sequence[GpuMemory]) -> Table:
    """Build a row for each run on a GPU: what its allocator says, and ours less that."""
    rows: tuple[Row, ...] = tuple(
        {
            "network": run.network,
            "batch": run.batch,
            "way": run.describe_way(),
            "requested": run.measured.requested,
            "requested_difference": Fraction(run.predicted.requested, run.measured.requested) - 1,
            "allocated": run.measured.allocated,
            "allocated_difference": Fraction(run.predicted.allocated, run.measured.allocated) - 1,
            "reserved": run.measured.reserved,
            "reserved_difference": Fraction(run.predicted.reserved, run.measured.reserved) - 1,
            "workspace": run.workspace_at_peak,
        }
        for gpu in gpus
        for run in gpu.results
    )
    return Table(
        title="Peaks of a GPU's allocator in bytes, and ours beside them",
        columns=(
            Column(key="network", heading="network", repeats=False),
            *_build_columns(
                ("batch", "batch", "count"),
                ("way", "way", "text"),
                ("requested", "requested", "count"),
                ("requested_difference", "ours", "signed share"),
                ("workspace", "workspace at its peak", "count"),
                ("allocated", "allocated", "count"),
                ("allocated_difference", "ours", "signed share"),
                ("reserved", "reserved", "count"),
                ("reserved_difference", "ours", "signed share"),
            ),
        ),
        rows=rows,
    )
