"""Measures what a device can do at most: by the kinds of work that networks do most of, and by a large copy.

No one kind shows the peak of every device: a library may have no kernel of a processor's widest instructions
for matrix products, and have one for convolutions.
"""

from collections.abc import Iterable
from time import perf_counter

import torch
from msgspec import Struct
from msgspec.structs import replace

from resflops.latency.flags import set_tf32
from resflops.latency.machine import TF32
from resflops.latency.peaks import CHANNELS, SIDE, Probe, ProbeKind
from resflops.latency.session import Step

__all__ = ["PreparedProbe", "choose_probes", "prepare_probe"]

LEAST_ROWS = 256
MOST_ROWS = {"cpu": 2048, "cuda": 8192}
"""Rows of the square matrices: large enough that a larger one is no faster per operation."""

LEAST_IMAGES = 1
MOST_IMAGES = {"cpu": 8, "cuda": 256}
"""Images of the convolutions."""

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
    device: torch.device, computing: Iterable[tuple[str, str]], *, known: Iterable[Probe] = ()
) -> tuple[Probe, ...]:
    """Choose a matrix product and convolutions in every precision that is measured, and one copy.

    Args:
        device: the device to probe.
        computing: each dtype with the precision that it is computed in, which is itself or TF32.
        known: probes of an earlier run, which are used again.
    """
    earlier = {(probe.kind, probe.dtype, probe.precision): probe for probe in known}
    chosen: list[Probe] = []
    for dtype, computes_in in dict.fromkeys(computing):
        precision = computes_in if computes_in != dtype else ""
        kinds: tuple[ProbeKind, ...] = ("matmul", "1×1 convolution", "3×3 convolution")
        for kind in kinds:
            probe = earlier.get((kind, dtype, precision))
            chosen.append(probe or _choose_size(device, kind, dtype, precision))
    copy = earlier.get(("copy", "uint8", ""))
    return (*chosen, copy or Probe(kind="copy", dtype="uint8", size=COPIED[device.type]))


def _choose_size(device: torch.device, kind: ProbeKind, dtype: str, precision: str) -> Probe:
    """Choose work that is large enough to take some time, or the largest allowed."""
    least, most = (LEAST_ROWS, MOST_ROWS) if kind == "matmul" else (LEAST_IMAGES, MOST_IMAGES)
    probe = Probe(kind=kind, dtype=dtype, size=least, precision=precision)
    while probe.size < most[device.type] and _time_probe(probe, device) < LONG_ENOUGH:
        probe = replace(probe, size=2 * probe.size)
    return probe


def _time_probe(probe: Probe, device: torch.device) -> float:
    try:
        step = prepare_probe(probe, device).step
        fastest = LONG_ENOUGH
        for _ in range(3):
            start = perf_counter()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
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

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=device).to(dtype)

    if probe.kind == "matmul":
        left, right = draw(probe.size, probe.size), draw(probe.size, probe.size)
        out = torch.empty_like(left)
        return _set_precision(probe, lambda: torch.mm(left, right, out=out))
    side = 3 if probe.kind == "3×3 convolution" else 1
    # As the kernels that are fastest want them.
    images = draw(probe.size, CHANNELS, SIDE, SIDE).to(memory_format=torch.channels_last)
    weight = draw(CHANNELS, CHANNELS, side, side).to(memory_format=torch.channels_last)
    return _set_precision(probe, lambda: torch.conv2d(images, weight, padding=side // 2))


def _set_precision(probe: Probe, work: Step) -> PreparedProbe:
    """Let work compute in the precision of a probe, whatever the process has set."""
    on_tf32 = probe.precision == TF32

    def step() -> object:
        with torch.no_grad(), set_tf32(on=on_tf32):
            return work()

    return PreparedProbe(step=step)
