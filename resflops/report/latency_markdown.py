"""``reports/latency.md``: measurements read out, beside what the ResNet paper says of FLOPs.

Every sentence is made from figures that stand in a column of a table above or below it, and
names the column; where the measurements do not carry a sentence, it is not written.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from resflops.latency.configuration import Setting
from resflops.latency.measurements import Measurements, Row
from resflops.latency.roofline import Meaning, meaning_of
from resflops.latency.statistics import Ratio, ratio
from resflops.render import rendering
from resflops.render.formats import share, times
from resflops.tables import Column, Kind, Note, Table, latency_table
from resflops.tables.latency import setting_cells, setting_columns
from resflops.tables.table import Row as Cells

__all__ = ["latency_report"]

SMALLER, LARGER = "resnet34", "vgg19"
"""The two of the paper's sentence: 3.6 billion FLOPs, only 18 % of VGG-19's 19.6 billion."""


class _Side(Struct, frozen=True, kw_only=True):
    """One of the two models under a setting."""

    row: Row
    meaning: Meaning

    @property
    def macs(self) -> int:
        """Of one input."""
        return self.row.workload.step_macs // self.row.configuration.batch if self.row.workload else 0

    @property
    def ops(self) -> int:
        """Ops that multiply and accumulate."""
        return len(self.row.workload.parts) if self.row.workload else 0


class _Pair(Struct, frozen=True, kw_only=True):
    """Both models under one setting, measured in turns."""

    setting: Setting
    smaller: _Side
    larger: _Side
    time: Ratio
    """The larger one's median time in the smaller one's."""

    @property
    def macs(self) -> float:
        """The ratio of the multiply-accumulates."""
        return self.larger.macs / self.smaller.macs

    @property
    def energy(self) -> float | None:
        """The ratio of the energies, where both are known."""
        return _over(self.larger.meaning.joules_per_item, self.smaller.meaning.joules_per_item)

    @property
    def roof(self) -> float | None:
        """The ratio of the times by the roofline."""
        return _over(self.larger.meaning.roof_seconds, self.smaller.meaning.roof_seconds)

    @property
    def stable(self) -> bool:
        """Whether both times can be trusted."""
        judged = (self.smaller.row.series.verdict, self.larger.row.series.verdict)
        return all(verdict is not None and verdict.stable for verdict in judged)


def latency_report(measurements: Measurements) -> str:
    """The report as Markdown, from nothing but stored measurements."""
    table = latency_table([measurements])
    pairs = _pairs(measurements)
    parts = [
        "# Latency beside FLOPs",
        "",
        *_provenance(measurements),
        "",
        "## 3.6 against 19.6",
        "",
        *(_comparison(pairs) if pairs else [_absent()]),
        "",
        "## All measurements",
        "",
        rendering("markdown").render(table),
    ]
    return "\n".join(parts)


def _provenance(measurements: Measurements) -> list[str]:
    commands = dict.fromkeys(run.command for run in measurements.runs)
    effort = measurements.effort
    turns = "all configurations" if len(commands) == 1 else "what each command had still to measure"
    return [
        f"Measured on {measurements.environment.device} in {effort.rounds} rounds, in which {turns} "
        f"took turns; {effort.warm_up:g} s of warm-up and {effort.seconds:g} s of samples in "
        f"each, and {effort.least} samples at least. Rebuilt from the stored samples, which were recorded by",
        "",
        "```sh",
        *commands,
        "```",
    ]


def _absent() -> str:
    return (
        f"These measurements have no setting under which both {SMALLER} and {LARGER} could be timed: "
        "there is nothing to compare."
    )


def _comparison(pairs: Sequence[_Pair]) -> list[str]:
    weighed = any(pair.energy for pair in pairs)
    return [
        'He et al. (2015): "our 34-layer baseline has 3.6 billion FLOPs (multiply-adds), which is only '
        f'18% of VGG-19 (19.6 billion FLOPs)". By count that is {pairs[0].smaller.macs:,} against '
        f"{pairs[0].larger.macs:,} multiply-accumulates of one image; the first table has what it is in time"
        + (" and in energy." if weighed else "; energy could not be measured here."),
        "",
        rendering("markdown").render(_ratios(pairs)),
        "",
        rendering("markdown").render(_sides(pairs)),
        "What the columns say:",
        "",
        *(f"- {said}" for said in _sentences(pairs)),
    ]


def _pairs(measurements: Measurements) -> list[_Pair]:
    pairs = []
    for setting in measurements.settings:
        sides = [_side(measurements, setting, name) for name in (SMALLER, LARGER)]
        smaller, larger = sides
        if smaller and larger:
            compared = ratio(larger.row.series.samples, smaller.row.series.samples)
            pairs.append(_Pair(setting=setting, smaller=smaller, larger=larger, time=compared))
    return pairs


def _side(measurements: Measurements, setting: Setting, model: str) -> _Side | None:
    for row in measurements.rows:
        if row.configuration.model == model and row.configuration.setting == setting and row.workload:
            meaning = meaning_of(row, measurements)
            return _Side(row=row, meaning=meaning) if meaning and not row.series.failure else None
    return None


def _ratios(pairs: Sequence[_Pair]) -> Table:
    """The two ratios under each setting."""
    rows = tuple(_cells(pair) for pair in pairs)
    energy = (
        [Column(key="energy", heading="energy ratio", kind="times")] if any(p.energy for p in pairs) else []
    )
    roofed = (
        [Column(key="roof", heading="ratio by the roof", kind="times")] if any(p.roof for p in pairs) else []
    )
    return Table(
        title=f"{LARGER} over {SMALLER}",
        columns=(
            *setting_columns(rows),
            Column(key="macs", heading="MACs ratio", kind="times"),
            Column(key="time", heading="time ratio", kind="times"),
            Column(key="low", heading="from", kind="times"),
            Column(key="high", heading="to", kind="times"),
            *energy,
            *roofed,
            Column(key="stable", heading="stable"),
        ),
        rows=rows,
        notes=(
            Note(
                text="From and to are the ends of the time ratio's 95 % interval. By the roof: of the times "
                "that every op would take at the measured peaks."
            ),
        ),
    )


def _sides(pairs: Sequence[_Pair]) -> Table:
    """What each of the two does with its time."""
    rows = tuple(_cells(pair) for pair in pairs)
    return Table(
        title=f"What lies between the ratios, {SMALLER} and {LARGER}",
        columns=(
            *setting_columns(rows),
            *(
                Column(key=f"{key} {side}", heading=f"{heading}, {side}", kind=kind)
                for key, heading, kind in _OF_SIDES
                for side in (SMALLER, LARGER)
            ),
        ),
        rows=rows,
        notes=(
            Note(
                text="Of peak: of the speed of a large matrix product in the same run. Memory-bound: of the "
                "time by the roof, the share in ops that wait for memory. MACs per op: multiply-accumulates "
                "of one step by the ops that have any."
            ),
        ),
    )


_OF_SIDES: tuple[tuple[str, str, Kind], ...] = (
    ("of_peak", "of peak", "share"),
    ("memory", "memory-bound", "share"),
    ("per_op", "MACs per op", "rounded"),
)


def _cells(pair: _Pair) -> Cells:
    return {
        **setting_cells(pair.setting),
        "macs": pair.macs,
        "time": pair.time.value,
        "low": pair.time.low,
        "high": pair.time.high,
        "energy": pair.energy,
        "roof": pair.roof,
        "stable": "yes" if pair.stable else "no",
        **_side_cells(pair.smaller, SMALLER),
        **_side_cells(pair.larger, LARGER),
    }


def _side_cells(side: _Side, name: str) -> Cells:
    step = side.macs * side.row.configuration.batch
    return {
        f"of_peak {name}": side.meaning.of_peak,
        f"memory {name}": side.meaning.memory_part,
        f"per_op {name}": step // side.ops if side.ops else None,
    }


def _sentences(pairs: Sequence[_Pair]) -> list[str]:
    """Why the ratios differ, as far as the columns carry it."""
    said = [_on_time(pairs)]
    said += _on_energy(pairs)
    said += _on_peak(pairs)
    said += _on_memory(pairs)
    said += _on_roof(pairs)
    said += _on_size(pairs)
    said += _on_stability(pairs)
    return said


def _on_time(pairs: Sequence[_Pair]) -> str:
    macs = pairs[0].macs
    less, more = _count(pairs, lambda p: p.time.high < macs), _count(pairs, lambda p: p.time.low > macs)
    undecided = len(pairs) - less - more
    verdicts = [
        f"{number} of {len(pairs)} settings {what}"
        for number, what in (
            (less, "it is less than the MACs ratio"),
            (more, "it is more"),
            (undecided, "the interval holds both"),
        )
        if number
    ]
    return (
        f"{LARGER} does {times(macs)} the multiply-accumulates of {SMALLER} (column MACs ratio) and takes "
        f"{_span([pair.time.value for pair in pairs], times)} its time (column time ratio): under "
        f"{', under '.join(verdicts)} (columns from and to)."
    )


def _on_energy(pairs: Sequence[_Pair]) -> list[str]:
    known = [pair.energy for pair in pairs if pair.energy]
    if not known:
        return []
    return [f"In energy it is {_span(known, times)} (column energy ratio)."]


def _on_peak(pairs: Sequence[_Pair]) -> list[str]:
    known = [
        (pair.smaller.meaning.of_peak, pair.larger.meaning.of_peak)
        for pair in pairs
        if pair.smaller.meaning.of_peak and pair.larger.meaning.of_peak
    ]
    if not known:
        return []
    smaller, larger = ([each[side] or 0.0 for each in known] for side in (0, 1))
    faster = sum(theirs > ours for ours, theirs in zip(smaller, larger, strict=True))
    return [
        f"What lies between the two ratios is the speed at which each multiplies: {LARGER} reaches "
        f"{_span(larger, share)} of the measured peak and {SMALLER} {_span(smaller, share)} (columns of "
        f"peak), and {LARGER} the larger share under {faster} of {len(known)} settings.",
        *_above_peak(known),
    ]


def _above_peak(known: Sequence[tuple[float | None, float | None]]) -> list[str]:
    """A peak that was passed bounds nothing, which whoever reads of a roof must know."""
    above = sum(any(part is not None and part > 1 for part in parts) for parts in known)
    if not above:
        return []
    return [
        "More than 100 % can be: the peak is the speed of one large matrix product in the same run, which "
        "convolutions may pass by a faster kernel or by an algorithm that multiplies less often than is "
        "counted; which of these it was is not measured. Under "
        f"{above} of {len(known)} settings one of the two networks passed it: there what is reckoned by the "
        "roof is a comparison with that product, and no bound."
    ]


def _on_memory(pairs: Sequence[_Pair]) -> list[str]:
    known = [
        (pair.setting.batch, smaller, larger)
        for pair in pairs
        if (smaller := pair.smaller.meaning.memory_part) is not None
        and (larger := pair.larger.meaning.memory_part) is not None
    ]
    batches = sorted({batch for batch, *_ in known})
    said = []
    for extreme in dict.fromkeys(batches[:1] + batches[-1:]):
        ours = [part for batch, part, _ in known if batch == extreme]
        theirs = [part for batch, _, part in known if batch == extreme]
        said.append(
            f"at batch {extreme} memory bounds {_span(theirs, share)} of {LARGER}'s time "
            f"and {_span(ours, share)} of {SMALLER}'s"
        )
    return [f"By the roofline {'; '.join(said)} (columns memory-bound)."] if said else []


def _on_roof(pairs: Sequence[_Pair]) -> list[str]:
    known = [pair.roof for pair in pairs if pair.roof]
    if not known:
        return []
    return [
        "If every op ran at the measured peaks, no slower and no faster, the time ratio would be "
        f"{_span(known, times)} (column ratio by the roof)."
    ]


def _on_size(pairs: Sequence[_Pair]) -> list[str]:
    smaller, larger = pairs[0].smaller, pairs[0].larger
    if not smaller.ops or not larger.ops:
        return []
    ratio_of_sizes = (larger.macs / larger.ops) / (smaller.macs / smaller.ops)
    return [
        f"{SMALLER} spreads its work over {smaller.ops} ops with multiply-accumulates and {LARGER} over "
        f"{larger.ops}, on average {times(ratio_of_sizes)} as large (columns MACs per op)."
    ]


def _on_stability(pairs: Sequence[_Pair]) -> list[str]:
    unstable = _count(pairs, lambda pair: not pair.stable)
    if not unstable:
        return []
    return [
        f"Under {unstable} of {len(pairs)} settings a time was unstable (column stable; the verdicts are "
        "below): there the intervals say more than the ratios."
    ]


def _count(pairs: Iterable[_Pair], holds: Callable[[_Pair], bool]) -> int:
    return sum(map(holds, pairs))


def _span(values: Sequence[float], write: Callable[[float], str]) -> str:
    """One value, or the least and the greatest."""
    least, most = write(min(values)), write(max(values))
    return least if least == most else f"{least} to {most}"


def _over(of: float | None, to: float | None) -> float | None:
    return of / to if of is not None and to else None
