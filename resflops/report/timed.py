"""Turns measurements into the data of the pictures."""

from collections.abc import Sequence

from resflops.cost import Cost
from resflops.latency.measurements import Measurements, Row
from resflops.latency.peaks import Probe
from resflops.latency.roofline import analyze_roofline
from resflops.models.catalog import NETWORKS
from resflops.report.paper_pair import LARGER, SMALLER, PaperPair, find_timed_row
from resflops.report.pictures import ratios, roofline

__all__ = ["build_ratios", "build_roofline", "find_latencies"]


def build_ratios(pair: PaperPair) -> ratios.Ratios | None:
    """Build the ratios of the paper's two networks under every setting of both; None if there is none."""
    if not pair.settings:
        return None
    return ratios.Ratios(
        smaller=SMALLER,
        larger=LARGER,
        device=pair.device,
        # The forward ratio is the same under all settings, whatever passes were timed.
        macs=pair.settings[-1].forward_macs,
        settings=tuple(
            ratios.Setting(
                name=each.way,
                batch=each.batch,
                time=each.time.value,
                low=each.time.low,
                high=each.time.high,
                stable=each.grade in {"steady", "fair"},
                roof=each.roof,
            )
            for each in pair.settings
        ),
    )


def build_roofline(measurements: Measurements) -> roofline.Roofline | None:
    """Build the roofline of forward passes, with a roof for each dtype; None without peaks or times.

    Of the ways to run a dtype (layout, mode, …) that shows which most networks were timed in, the first of
    several: any other would put another line of marks for each network into the picture.
    """
    roofs = []
    bandwidth = measurements.bandwidth
    for dtype in dict.fromkeys(row.configuration.dtype for row in measurements.rows):
        # Of convolutions, which these networks do most of.
        fastest = measurements.find_peak(measurements.environment.find_precision(dtype, convolution=True))
        peak = fastest.per_second if fastest else None
        way, rows = _choose_way(measurements, dtype)
        known = tuple(spot for row in rows if (spot := _build_spot(row, measurements)))
        if fastest and peak and bandwidth and known:
            roofs.append(
                roofline.Roof(
                    dtype=dtype,
                    setting=way,
                    peak=peak,
                    probe=_name_probe(fastest.probe),
                    bandwidth=bandwidth,
                    spots=known,
                )
            )
    if not roofs:
        return None
    return roofline.Roofline(device=measurements.environment.device, roofs=tuple(roofs))


def find_latencies(several: Sequence[Measurements], costs: Sequence[Cost]) -> tuple[str, dict[str, float]]:
    """Find the setting that most models were measured under, and their times under it.

    Args:
        several: all measurements.
        costs: the models' costs; times on another input than a cost's are left out.
    """
    best: tuple[str, dict[str, float]] = ("", {})
    for measurements in several:
        for setting in measurements.settings:
            rows = {cost.model: find_timed_row(measurements, cost.model, setting) for cost in costs}
            found = {
                cost.model: row.series.time.median
                for cost in costs
                if (row := rows[cost.model]) and row.series.time and _is_same_work(row, cost)
            }
            # One time alone compares nothing.
            if len(found) > max(len(best[1]), 1):
                best = (f"{measurements.environment.device}, {setting.describe()}", found)
    return best


def _is_same_work(row: Row, cost: Cost) -> bool:
    return row.workload is not None and row.workload.macs == cost.macs * row.configuration.batch


def _choose_way(measurements: Measurements, dtype: str) -> tuple[str, list[Row]]:
    """Choose the way of running a dtype that most networks were timed in; give its name and its rows."""
    ways: dict[str, list[Row]] = {}
    for row in measurements.rows:
        setting = row.configuration.setting
        if setting.dtype == dtype and not setting.training:
            ways.setdefault(setting.way, []).append(row)
    return max(
        ways.items(), key=lambda way: len({row.configuration.model for row in way[1]}), default=("", [])
    )


def _name_probe(probe: Probe) -> str:
    return "matrix product" if probe.kind == "matmul" else probe.kind


def _build_spot(row: Row, measurements: Measurements) -> roofline.Spot | None:
    meaning = analyze_roofline(row, measurements)
    if meaning is None or meaning.intensity is None or meaning.flops_per_second is None:
        return None
    return roofline.Spot(
        model=row.configuration.model,
        family=_find_family(row.configuration.model),
        batch=row.configuration.batch,
        intensity=meaning.intensity,
        flops_per_second=meaning.flops_per_second,
    )


def _find_family(model: str) -> str:
    """Find the family of a built-in network, whatever its options; another model is a family of its own."""
    network = NETWORKS.get(model.partition(",")[0])
    return network.family if network else model
