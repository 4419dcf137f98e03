"""Joining measurements that were taken apart: of one machine, under one set of flags."""

from collections.abc import Iterable

from msgspec.structs import replace

from resflops.latency.measurements import Measurements
from resflops.latency.peaks import Peak
from resflops.latency.series import Series

__all__ = ["join", "join_alike"]


def join_alike(several: Iterable[Measurements]) -> list[Measurements]:
    """Join the measurements that were taken under the same conditions."""
    joined: list[Measurements] = []
    for each in several:
        for place, known in enumerate(joined):
            if not known.environment.find_differences(each.environment) and not known.effort.find_unlike(
                each.effort
            ):
                joined[place] = join(known, each)
                break
        else:
            joined.append(each)
    return joined


def join(one: Measurements, other: Measurements) -> Measurements:
    """Join two measurements of the same conditions; rounds keep which run they are of.

    Of what both have measured the times are those of the first, since times of two runs make no series.
    Energy and layers, which are taken apart from the times, are the second's where the first has none.
    """
    before = len(one.runs)

    def number(series: Series) -> Series:
        rounds = tuple(replace(each, run=each.run + before) for each in series.rounds)
        return replace(series, rounds=rounds)

    rows = {row.configuration: row for row in one.rows}
    for row in other.rows:
        known = rows.get(row.configuration)
        rows[row.configuration] = (
            replace(
                known, energy=known.energy or row.energy, attribution=known.attribution or row.attribution
            )
            if known
            else replace(row, series=number(row.series))
        )
    peaks: dict[object, Peak] = {peak.probe: peak for peak in one.peaks}
    for peak in other.peaks:
        peaks.setdefault(peak.probe, replace(peak, series=number(peak.series)))
    backends = other.environment.backends | one.environment.backends
    return replace(
        one,
        environment=replace(one.environment, backends=backends),
        runs=(*one.runs, *other.runs),
        rows=tuple(rows.values()),
        peaks=tuple(peaks.values()),
    )
