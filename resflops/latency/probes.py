"""Measures what a device can do at most, by a large matrix product and a large copy."""

from collections.abc import Iterable
from time import perf_counter

import torch
from msgspec import Struct

from resflops.latency.measurements import Probe
from resflops.latency.session import Step

__all__ = ["PreparedProbe", "choose_probes", "prepare_probe"]

LEAST_ROWS = 256
MOST_ROWS = {"cpu": 2048, "cuda": 8192}
"""Rows of the square matrices: large enough that a larger one is no faster per operation."""

LONG_ENOUGH = 0.1
"""Seconds for one product: larger ones are not tried. Some processors have no instructions for some
dtypes, and take minutes for a product that takes others milliseconds."""

COPIED = {"cpu": 1 << 28, "cuda": 1 << 30}
"""Bytes of the copied buffer: several times what the largest caches hold."""


class PreparedProbe(Struct, frozen=True, kw_only=True):
    """A probe with its tensors."""

    step: Step
    cold_l2: bool = False
    held_before: int = 0


def choose_probes(
    device: torch.device, dtypes: Iterable[str], *, known: Iterable[Probe] = ()
) -> tuple[Probe, ...]:
    """Choose a matrix product in every dtype that is measured, and one copy.

    Args:
        device: the device to probe.
        dtypes: the dtypes of the products.
        known: probes of an earlier run, which are used again.
    """
    earlier = {probe.dtype: probe for probe in known if probe.kind == "matmul"}
    return (
        *(earlier.get(dtype) or _choose_product(device, dtype) for dtype in dict.fromkeys(dtypes)),
        Probe(kind="copy", dtype="uint8", size=COPIED[device.type]),
    )


def _choose_product(device: torch.device, dtype: str) -> Probe:
    """Choose a product that is large enough to take some time, or the largest allowed."""
    rows = LEAST_ROWS
    while rows < MOST_ROWS[device.type] and _time_product(device, dtype, rows) < LONG_ENOUGH:
        rows *= 2
    return Probe(kind="matmul", dtype=dtype, size=rows)


def _time_product(device: torch.device, dtype: str, rows: int) -> float:
    try:
        ones = torch.ones((rows, rows), dtype=getattr(torch, dtype), device=device)
        fastest = LONG_ENOUGH
        for _ in range(3):
            start = perf_counter()
            # Reading a value waits for the device.
            (ones @ ones)[0, 0].item()
            fastest = min(fastest, perf_counter() - start)
    except RuntimeError:
        # What the device lacks is found again, and noted, when the probe is measured.
        return LONG_ENOUGH
    return fastest


def prepare_probe(probe: Probe, device: torch.device) -> PreparedProbe:
    """Prepare a probe with its tensors on a device."""
    dtype = getattr(torch, probe.dtype)
    if probe.kind == "copy":
        source = torch.zeros(probe.size, dtype=dtype, device=device)
        target = torch.empty_like(source)
        return PreparedProbe(step=lambda: target.copy_(source))
    # Not zeros: a GPU draws less power for them and clocks higher than with real numbers.
    generator = torch.Generator(device).manual_seed(0)
    shape = (probe.size, probe.size)
    left, right = (torch.randn(shape, generator=generator, device=device).to(dtype) for _ in range(2))
    out = torch.empty(shape, dtype=dtype, device=device)
    return PreparedProbe(step=lambda: torch.mm(left, right, out=out))
