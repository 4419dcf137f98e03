"""Statistics of samples: pure functions, which give the same result for the same samples.

Samples come in rounds, and those of one round have the state of the machine in common. So the
bootstrap resamples rounds first and samples within them second (Davison & Hinkley 1997,
section 3.8): resampling all samples as if they were independent gives intervals too narrow.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]
    Integers = np.ndarray[Any, np.dtype[np.int64]]

__all__ = [
    "CONFIDENCE",
    "RESAMPLES",
    "Ratio",
    "Rounds",
    "Summary",
    "drift",
    "median",
    "quantile",
    "ratio",
    "summarize",
]

Rounds = Sequence[Sequence[float]]
"""Samples round by round, in the order in which they were taken."""

CONFIDENCE = 0.95
"""The confidence of every interval."""

RESAMPLES = 2000
"""Resamples of every bootstrap: the ends of the interval then lie within about one order statistic."""

SEED = 20151210
"""A fixed seed, so that the same samples always have the same interval."""

BLOCK = 4_000_000
"""Numbers that are drawn at once; a long series drawn as a whole would fill the memory."""

LEAST_FOR_P90, LEAST_FOR_P99 = 10, 1000
"""With fewer samples a percentile would be made up between the largest two, or rest on a few."""


class Summary(Struct, frozen=True, kw_only=True):
    """A series in a few numbers, all in the samples' own unit."""

    samples: int
    median: float
    low: float
    """Lower end of the median's confidence interval."""
    high: float
    least: float
    p90: float | None
    """None where there are too few samples to tell."""
    p99: float | None

    @property
    def width(self) -> float:
        """The width of the interval relative to the median."""
        return (self.high - self.low) / self.median if self.median else 0.0


class Ratio(Struct, frozen=True, kw_only=True):
    """The ratio of two medians, with its confidence interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval's width, relative to the ratio."""
        return (self.high - self.low) / 2 / self.value if self.value else 0.0


def summarize(rounds: Rounds) -> Summary:
    """Summarise samples.

    >>> summarize([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]]).median
    2.0

    Raises:
        ValueError: there are no samples.
    """
    samples = _flatten(rounds)
    low, high = _find_interval(_resample_medians(rounds, _draw_rounds(len(_drop_empty(rounds)))))
    return Summary(
        samples=len(samples),
        median=median(samples),
        low=low,
        high=high,
        least=min(samples),
        p90=quantile(samples, 0.90) if len(samples) >= LEAST_FOR_P90 else None,
        p99=quantile(samples, 0.99) if len(samples) >= LEAST_FOR_P99 else None,
    )


def median(samples: Sequence[float]) -> float:
    """The middle sample, or the mean of the middle two.

    >>> median([4.0, 1.0, 2.0, 3.0])
    2.5
    """
    return quantile(samples, 0.5)


def quantile(samples: Sequence[float], part: float) -> float:
    """A quantile, linear between the two nearest samples (Hyndman & Fan's seventh, which numpy takes too).

    >>> quantile([10.0, 20.0, 30.0], 0.9)
    28.0
    """
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("a quantile needs at least one sample, got none")
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def ratio(of: Rounds, to: Rounds, *, paired: bool = True) -> Ratio:
    """The ratio of two medians.

    Where rounds took turns, the bootstrap draws the same rounds for both: what slowed a round down slowed
    both, and their ratio is known better than either.

    >>> ratio([[4.0, 4.0], [8.0, 8.0]], [[1.0, 1.0], [2.0, 2.0]]).low
    4.0

    Args:
        of: the samples of the one.
        to: those of the other.
        paired: whether their rounds took turns, which equally many can have done.
    """
    counts = len(_drop_empty(of)), len(_drop_empty(to))
    of_rounds = _draw_rounds(counts[0])
    alike = paired and counts[0] == counts[1]
    to_rounds = of_rounds if alike else _draw_rounds(counts[1], stream=1)
    # Samples within a round are no pairs, so each side draws its own, from a stream of its own.
    ratios = _resample_medians(of, of_rounds) / _resample_medians(to, to_rounds, stream=1)
    low, high = _find_interval(ratios)
    return Ratio(value=median(_flatten(of)) / median(_flatten(to)), low=low, high=high)


def drift(rounds: Rounds) -> float:
    """How much the later half of the rounds is above the earlier one, relative to the median.

    The middle one of an odd number belongs to neither half; samples of a single round are
    halved themselves.

    >>> drift([[1.0], [1.0], [1.2], [1.2]])
    0.18181818181818177
    """
    filled: Sequence[Any] = _drop_empty(rounds)
    if len(filled) == 1:
        filled = [[sample] for sample in filled[0]]
    half = len(filled) // 2
    if not half:
        return 0.0
    earlier, later = _flatten(filled[:half]), _flatten(filled[-half:])
    return (median(later) - median(earlier)) / median(_flatten(filled))


def _drop_empty(rounds: Rounds) -> list[Sequence[float]]:
    return [samples for samples in rounds if samples]


def _flatten(rounds: Rounds) -> list[float]:
    return [sample for samples in rounds for sample in samples]


def _draw_rounds(count: int, *, stream: int = 0) -> "Integers":
    """Draw the rounds that each resample takes, [resamples, rounds]."""
    import numpy as np

    if not count:
        raise ValueError("a confidence interval needs at least one sample, got none")
    return np.random.default_rng((SEED, stream)).integers(count, size=(RESAMPLES, count))


def _resample_medians(rounds: Rounds, drawn: "Integers", *, stream: int = 0) -> "Floats":
    """Compute the median of each resample, [resamples]."""
    import numpy as np

    filled = _drop_empty(rounds)
    lengths = np.array([len(samples) for samples in filled])
    generator = np.random.default_rng((SEED, 2, stream))
    if (lengths == lengths[0]).all():
        return _resample_medians_of_equal(np.array(filled, dtype=float), drawn, generator)
    table = np.zeros((len(filled), lengths.max()))
    for place, samples in enumerate(filled):
        table[place, : len(samples)] = samples
    medians = []
    for block in np.array_split(drawn, max(1, drawn.size * int(lengths.max()) // BLOCK)):
        places = generator.random((*block.shape, int(lengths.max()))) * lengths[block][:, :, None]
        values = table[block[:, :, None], places.astype(np.int64)]
        # A round gives as many samples as it has.
        beyond = np.arange(lengths.max()) >= lengths[block][:, :, None]
        values[beyond] = np.nan
        medians.append(np.nanmedian(values.reshape(len(block), -1), axis=1))
    return np.concatenate(medians)


def _resample_medians_of_equal(
    table: "Floats", drawn: "Integers", generator: "np.random.Generator"
) -> "Floats":
    """Compute the median of each resample of rounds with equally many samples, [resamples]."""
    import numpy as np

    length = table.shape[1]
    # Ranks stand for the samples: numbers of two bytes are put in order in 60 % of the time of floats.
    ordered = np.sort(table, axis=None)
    ranks = np.searchsorted(ordered, table.ravel()).astype(np.min_scalar_type(table.size))
    middle = (table.size - 1) // 2, table.size // 2
    medians = []
    for block in np.array_split(drawn, max(1, drawn.size * length // BLOCK)):
        places = (generator.random((*block.shape, length)) * length).astype(np.int64)
        places += block[:, :, None] * length
        resamples = ranks.take(places).reshape(len(block), -1)
        resamples.partition(middle, axis=1)
        lower, upper = (ordered[resamples[:, place]] for place in middle)
        medians.append((lower + upper) / 2)
    return np.concatenate(medians)


def _find_interval(values: "Floats") -> tuple[float, float]:
    import numpy as np

    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return float(low), float(high)
