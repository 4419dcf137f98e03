"""Memory as resflops gives it, beside what an allocator counted in real passes and what other tools say."""

from typing import Literal

from msgspec import Struct

from resflops.peak_memory.records import Kind
from resflops.storage import Stored

__all__ = ["TOOLS", "WAYS", "Comparison", "LargeModel", "NetworkFigures", "PairFigures", "PassFigures", "Way"]

Way = Literal["inference", "training", "training, AdamW", "training, checkpointing"]

WAYS: tuple[Way, ...] = ("inference", "training", "training, AdamW", "training, checkpointing")

TOOLS = ("MemTracker", "torchinfo", "accelerate")
"""The tools that were asked beside resflops."""


class PassFigures(Struct, frozen=True, kw_only=True):
    """One pass of one network; all figures are peaks in bytes, with weights and input."""

    network: str
    way: Way
    shapes: int
    """By a pass on shapes."""
    real: int
    """By the same watch over a real pass."""
    alike: bool
    """Whether the two agree in every step and in every block."""
    before: int
    """What is there before the pass: weights, input, the optimiser's state."""
    allocator: int
    """By the events of the CPU's allocator during a real pass."""
    without_workspace: int
    """The same without what was taken and given back within one op."""
    workspace: dict[str, int]
    """The workspace in use at the allocator's peak, by op."""
    rules: int | None = None
    """By rules, from a stored trace; None if that cannot be said."""
    tools: dict[str, int | str]
    """What the other tools say, or why they do not."""

    @property
    def difference(self) -> float:
        """The difference from the allocator, as a part of it."""
        return self.shapes / self.allocator - 1

    @property
    def difference_without_workspace(self) -> float:
        """The difference from the allocator without workspace, as a part of that."""
        return self.shapes / self.without_workspace - 1


class NetworkFigures(Struct, frozen=True, kw_only=True):
    """One network."""

    network: str
    parameters: int
    """How many, not their bytes."""
    largest_workspace: dict[str, int]
    """The most workspace of any call in training, by op, in bytes."""
    seconds: dict[str, float]
    """CPU time of the fastest of several runs, by tool and way, such as ``resflops, training``."""


class PairFigures(Struct, frozen=True, kw_only=True):
    """One pass of one of the two networks that the project starts from, on shapes."""

    model: str
    way: Way
    batch: int
    parameters: int
    """How many, not their bytes."""
    weights: int
    peak: int
    split: dict[Kind, int]
    """The bytes in use at the peak."""

    @property
    def above_weights(self) -> int:
        """The peak without parameters and buffers."""
        return self.peak - self.weights


class LargeModel(Struct, frozen=True, kw_only=True):
    """What it takes to say what a large language model needs."""

    name: str
    parameters: int
    peak: int
    """The peak of the model, in bytes."""
    process: int
    """By how many bytes the process has grown, over an interpreter that has imported what the model needs."""
    seconds: float


class Comparison(Stored, frozen=True, kw_only=True, tag="memory-comparison"):
    """All that the benchmark of memory has found."""

    torch: str
    python: str
    started: str
    """Date and time in UTC, ISO 8601."""
    batch: int
    passes: tuple[PassFigures, ...] = ()
    networks: tuple[NetworkFigures, ...] = ()
    pair: tuple[PairFigures, ...] = ()
    large: LargeModel | None = None

    def __repr__(self) -> str:
        return f"Comparison({len(self.networks)} networks)"

    def check(self) -> None:
        """Check that all peaks are above zero, as they are divided by.

        Raises:
            ValueError: one is not.
        """
        peaks = [min(each.shapes, each.allocator, each.without_workspace) for each in self.passes]
        if min(peaks + [each.peak for each in self.pair], default=1) <= 0:
            raise ValueError("a peak is not above zero")

    def select(self, network: str) -> tuple[PassFigures, ...]:
        """Select the passes of one network."""
        return tuple(each for each in self.passes if each.network == network)

    def find_pair(self, way: Way, batch: int) -> tuple[PairFigures, PairFigures]:
        """Find the pass of the smaller and of the larger of the two networks."""
        smaller, larger = (each for each in self.pair if (each.way, each.batch) == (way, batch))
        return smaller, larger
