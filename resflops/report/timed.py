"""Turns measurements into the data of the pictures."""

from collections.abc import Sequence

from resflops.cost import Cost
from resflops.latency.configuration import Setting
from resflops.latency.measurements import Measurements, Row
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
                name=each.setting.describe(),
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
    """Build the roofline of plain forward passes, with a roof for each dtype; None without peaks or times."""
    roofs = []
    bandwidth = measurements.bandwidth
    for dtype in dict.fromkeys(row.configuration.dtype for row in measurements.rows):
        # Of convolutions, which these networks do most of.
        fastest = measurements.find_peak(measurements.environment.find_precision(dtype, convolution=True))
        peak = fastest.per_second if fastest else None
        spots = [
            _build_spot(row, measurements)
            for row in measurements.rows
            if _is_plain(row.configuration.setting, dtype)
        ]
        known = tuple(spot for spot in spots if spot)
        if peak and bandwidth and known:
            roofs.append(roofline.Roof(dtype=dtype, peak=peak, bandwidth=bandwidth, spots=known))
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


def _is_plain(setting: Setting, dtype: str) -> bool:
    """Tell whether a setting is in the picture: any other would put another line of marks into it."""
    return (
        setting.dtype == dtype
        and setting.memory_format == "contiguous"
        and setting.mode == "eager"
        and not (setting.autocast or setting.cold_l2 or setting.training)
    )


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
