"""Predicts the time of an op from ops of its kind that were timed.

For every kind, a straight line in the logarithms of its sizes gives the trend, and a Gaussian process what
the neighbours differ from it by (Rasmussen & Williams 2006, algorithm 2.1, with the Matérn kernel of 3/2).
How far a neighbour reaches is chosen by the error of predicting each sample from the others (section 5.4.2).
"""

from collections.abc import Sequence
from itertools import product
from math import log, prod
from typing import TYPE_CHECKING, Any

from resflops.latency.prediction.sized_ops import SizedOp

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[Any]]

__all__ = ["KindModel", "compute_features"]

REACHES = (0.5, 1.0, 2.0, 4.0)
NOISES = (0.05, 0.1, 0.2, 0.4)

MOST_SAMPLES, MOST_TO_CHOOSE = 1200, 400
"""Samples that are learned from, and those by which the reach is chosen: the effort grows with their cube."""

DISTURBED, LEAST_DISTURBED = 5.0, 0.3
"""How many times as far as half of the samples one is from what its neighbours say, in logarithms, to be left
out; and how far at least."""

RIDGE = 1e-2
"""Keeps the trend in bounds where sizes go together, as groups and channels of depthwise convolutions do."""


def compute_features(op: SizedOp) -> list[float]:
    """Compute the logarithms of an op's sizes, and of the work and memory that they amount to.

    >>> [round(2.718281828 ** each) for each in compute_features(SizedOp("linear", (1, 2, 3, 4)))]
    [1, 2, 3, 4, 24, 26]
    """
    sizes = op.sizes
    if "convolution" in op.kind:
        batch, inputs, outputs, groups, taps, in_pixels, out_pixels = sizes
        images = batch * (inputs * in_pixels + outputs * out_pixels)
        weight = inputs // groups * outputs * taps
        sizes = (*sizes, batch * out_pixels * weight, images, weight, images + weight)
    elif op.kind in {"linear", "matmul", "scaled_dot_product_attention"}:
        batch, rows, inner, columns = sizes
        sizes = (*sizes, prod(sizes), batch * (rows * inner + inner * columns + rows * columns))
    else:
        sizes = (*sizes, prod(sizes[:2]))
    return [log(max(size, 1)) for size in sizes]


class KindModel:
    """What was learned of one kind of op."""

    def __init__(self, ops: Sequence[SizedOp], seconds: Sequence[float]) -> None:
        """Fit the trend, and what neighbours tell beyond it.

        Args:
            ops: ops of one kind, at least one.
            seconds: the time of each.
        """
        import numpy as np

        features = np.array([compute_features(op) for op in ops[:MOST_SAMPLES]])
        target = np.log(np.array(seconds[:MOST_SAMPLES]))
        spread = features.std(0)
        self._center, self._spread = features.mean(0), np.where(spread > 1e-9, spread, 1.0)
        samples = self._scale(features)
        # Twice: what something else disturbed is far from what its neighbours say, and left out.
        self._fit(samples, target)
        off = np.abs(target - _follow_trend(samples, self._trend) - self._compute_left_out(samples, target))
        kept = off <= max(DISTURBED * float(np.median(off)), LEAST_DISTURBED)
        self._fit(samples[kept], target[kept])

    def _fit(self, samples: "Floats", target: "Floats") -> None:
        import numpy as np

        self._samples, self._trend = samples, _fit_trend(samples, target)
        residual = target - _follow_trend(samples, self._trend)
        distances = _measure_distances(samples, samples)
        self._reach, self._noise = _choose_reach(distances, residual)
        self._weights = np.linalg.solve(_correlate(distances, self._reach, self._noise), residual)
        # What neighbours say is never beyond what any sample differs by.
        self._bounds = residual.min(), residual.max()

    def _compute_left_out(self, samples: "Floats", target: "Floats") -> "Floats":
        """Compute what the neighbours of each sample say of it without itself."""
        import numpy as np

        residual = target - _follow_trend(samples, self._trend)
        distances = _measure_distances(samples, samples)
        inverse = np.linalg.inv(_correlate(distances, self._reach, self._noise))
        left_out: Floats = residual - inverse @ residual / inverse.diagonal()
        return left_out

    def predict(self, ops: Sequence[SizedOp]) -> list[float]:
        """Predict the seconds of ops of this kind."""
        import numpy as np

        scaled = self._scale(np.array([compute_features(op) for op in ops]))
        near = _correlate(_measure_distances(scaled, self._samples), self._reach) @ self._weights
        return [float(each) for each in np.exp(_follow_trend(scaled, self._trend) + near.clip(*self._bounds))]

    def _scale(self, features: "Floats") -> "Floats":
        scaled: Floats = (features - self._center) / self._spread
        return scaled


def _fit_trend(samples: "Floats", target: "Floats") -> "Floats":
    import numpy as np

    table = np.hstack([np.ones((len(samples), 1)), samples])
    penalty = RIDGE * np.eye(table.shape[1])
    # Not of the constant: without sizes it is the mean.
    penalty[0, 0] = 0.0
    trend: Floats = np.linalg.solve(table.T @ table + penalty, table.T @ target)
    return trend


def _follow_trend(samples: "Floats", trend: "Floats") -> "Floats":
    followed: Floats = trend[0] + samples @ trend[1:]
    return followed


def _measure_distances(one: "Floats", other: "Floats") -> "Floats":
    import numpy as np

    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2 * one @ other.T
    distances: Floats = np.sqrt(np.maximum(squares, 0.0))
    return distances


def _correlate(distances: "Floats", reach: float, noise: float = 0.0) -> "Floats":
    import numpy as np

    scaled = np.sqrt(3) * distances / reach
    correlation: Floats = (1 + scaled) * np.exp(-scaled)
    return correlation + noise**2 * np.eye(len(distances)) if noise else correlation


def _choose_reach(distances: "Floats", residual: "Floats") -> tuple[float, float]:
    """Choose the reach and the noise by which each sample is predicted best from the others."""
    import numpy as np

    few = slice(MOST_TO_CHOOSE)
    errors = {}
    for reach, noise in product(REACHES, NOISES):
        inverse = np.linalg.inv(_correlate(distances[few, few], reach, noise))
        # Its error without a fit for each.
        errors[reach, noise] = float(np.median(np.abs(inverse @ residual[few] / inverse.diagonal())))
    return min(errors, key=lambda key: errors[key])
