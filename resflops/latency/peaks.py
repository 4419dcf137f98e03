"""Work of known amounts by which a device shows what it can do at most, and what it did."""

from typing import Literal

from msgspec import Struct

from resflops.latency.series import Series

__all__ = [
    "CHANNELS",
    "SIDE",
    "Peak",
    "Probe",
    "ProbeKind",
]

ProbeKind = Literal["matmul", "1×1 convolution", "3×3 convolution", "copy"]

CHANNELS, SIDE = 256, 56
"""Channels and side of what the convolutions of a probe read and write."""


class Probe(Struct, frozen=True, kw_only=True):
    """Work of a known amount that shows a peak: a square matrix product, a convolution, or a copy."""

    kind: ProbeKind
    dtype: str
    size: int
    """Rows of the matrix, images of a convolution of 256 channels at 56×56, or bytes of the buffer."""
    precision: str = ""
    """What it computes in, if that is not the dtype: ``TF32``."""

    @property
    def work(self) -> int:
        """Floating-point operations, two per multiply-accumulate, or bytes that a copy reads and writes."""
        if self.kind == "copy":
            return 2 * self.size
        if self.kind == "matmul":
            return 2 * self.size**3
        kernel = 9 if self.kind == "3×3 convolution" else 1
        return 2 * self.size * SIDE**2 * CHANNELS**2 * kernel

    @property
    def computes_in(self) -> str:
        """The precision that it shows the peak of."""
        return self.precision or self.dtype

    def describe(self) -> str:
        """Describe what it does."""
        return f"peak by a {self.kind}, {self.computes_in}"


class Peak(Struct, frozen=True, kw_only=True):
    """How fast the device did the work of a probe, in the same run as the models."""

    probe: Probe
    series: Series = Series()

    @property
    def per_second(self) -> float | None:
        """Work per second of the fastest sample; None if it failed."""
        # The fastest sample, not the median: a roof is what nothing gets above.
        return self.probe.work / self.series.time.least if self.series.time else None
