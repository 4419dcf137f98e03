"""Measurements as the pictures show them."""

from collections.abc import Sequence

from resflops.cost import Cost
from resflops.latency.configuration import Setting
from resflops.latency.measurements import Measurements, Row
from resflops.latency.roofline import meaning_of
from resflops.latency.statistics import ratio
from resflops.report.context import Context
from resflops.report.pictures import ratios, roofline

__all__ = ["FILES", "latencies", "measurements_of", "ratios_of", "roofline_of"]

FILES = "latency-*.json"

SMALLER, LARGER = "resnet34", "vgg19"


def measurements_of(context: Context) -> tuple[Measurements, ...]:
    """All that is stored, in the order of the files' names."""
    return tuple(Measurements.load(path) for path in context.data(FILES))


def ratios_of(measurements: Measurements) -> ratios.Ratios | None:
    """The paper's two networks under every setting that both were measured under; None if there is none."""
    settings = []
    macs = 0.0
    for setting in measurements.settings:
        smaller, larger = (_timed(measurements, name, setting) for name in (SMALLER, LARGER))
        if smaller is None or larger is None or not (smaller.workload and larger.workload):
            continue
        macs = larger.workload.macs / smaller.workload.macs
        compared = ratio(larger.series.samples, smaller.series.samples)
        means = [meaning_of(row, measurements) for row in (smaller, larger)]
        roofs = [mean.roof_seconds if mean else None for mean in means]
        settings.append(
            ratios.Setting(
                name=setting.words(),
                time=compared.value,
                low=compared.low,
                high=compared.high,
                stable=all(row.series.verdict and row.series.verdict.stable for row in (smaller, larger)),
                roof=roofs[1] / roofs[0] if roofs[0] and roofs[1] else None,
            )
        )
    if not settings:
        return None
    return ratios.Ratios(
        smaller=SMALLER,
        larger=LARGER,
        device=measurements.environment.device,
        macs=macs,
        settings=tuple(settings),
    )


def roofline_of(measurements: Measurements) -> roofline.Roofline | None:
    """What was reached in plain forward passes, a roof a dtype; None without peaks or times."""
    roofs = []
    bandwidth = measurements.peak("copy")
    for dtype in dict.fromkeys(row.configuration.dtype for row in measurements.rows):
        peak = measurements.peak("matmul", dtype)
        spots = [
            _spot(row, measurements)
            for row in measurements.rows
            if _is_plain(row.configuration.setting, dtype)
        ]
        known = tuple(spot for spot in spots if spot)
        if peak and bandwidth and known:
            roofs.append(roofline.Roof(dtype=dtype, peak=peak, bandwidth=bandwidth, spots=known))
    if not roofs:
        return None
    return roofline.Roofline(device=measurements.environment.device, roofs=tuple(roofs))


def latencies(several: Sequence[Measurements], costs: Sequence[Cost]) -> tuple[str, dict[str, float]]:
    """Times of one image under the one setting that most models were measured under, and what it is.

    Args:
        several: all that was measured.
        costs: of the models; a time on another input than the cost is of is none of theirs.
    """
    best: tuple[str, dict[str, float]] = ("", {})
    for measurements in several:
        for setting in measurements.settings:
            rows = {cost.model: _timed(measurements, cost.model, setting) for cost in costs}
            found = {
                cost.model: row.series.time.median
                for cost in costs
                if (row := rows[cost.model]) and row.series.time and _is_of(row, cost)
            }
            if len(found) > max(len(best[1]), 1):
                best = (f"{measurements.environment.device}, {setting.words()}", found)
    return best


def _is_of(row: Row, cost: Cost) -> bool:
    return row.workload is not None and row.workload.macs == cost.macs * row.configuration.batch


def _timed(measurements: Measurements, model: str, setting: Setting) -> Row | None:
    for row in measurements.rows:
        if (row.configuration.model, row.configuration.setting) == (model, setting):
            return row if row.series.time and not row.series.failure else None
    return None


def _is_plain(setting: Setting, dtype: str) -> bool:
    """Without what would put another line of marks into the picture."""
    return (
        setting.dtype == dtype
        and setting.memory_format == "contiguous"
        and setting.mode == "eager"
        and not (setting.autocast or setting.cold_l2 or setting.training)
    )


def _spot(row: Row, measurements: Measurements) -> roofline.Spot | None:
    meaning = meaning_of(row, measurements)
    if meaning is None or meaning.intensity is None or meaning.flops_per_second is None:
        return None
    return roofline.Spot(
        model=row.configuration.model,
        batch=row.configuration.batch,
        intensity=meaning.intensity,
        flops_per_second=meaning.flops_per_second,
    )
