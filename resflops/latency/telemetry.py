"""Reads what a GPU tells of itself by NVML: clocks, power, temperature, throttling, energy. Nothing is set.

nvidia-ml-py may be missing, and a driver may not tell everything: what is not told is None.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from resflops.latency.measurements import Reading

__all__ = ["THROTTLING", "Telemetry", "decode_reasons", "open_telemetry"]

Answer = TypeVar("Answer")

THROTTLING = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "thermal, by software",
    0x40: "thermal, by hardware",
    0x80: "power brake",
}
"""The bits of NVML's clocks event reasons that hold clocks back against the user's wish. Idle,
clocks set by the user and synchronised boost do not."""


def decode_reasons(bits: int) -> tuple[str, ...]:
    """Decode why clocks are held back.

    >>> decode_reasons(0x01 | 0x04 | 0x40)
    ('power cap', 'thermal, by hardware')
    """
    return tuple(reason for bit, reason in THROTTLING.items() if bits & bit)


class Telemetry:
    """NVML's view of one GPU; without NVML every answer is None."""

    def __init__(self, nvml: Any = None, handle: Any = None) -> None:  # noqa: ANN401 - untyped package
        self._nvml = nvml
        self._handle = handle

    def take_reading(self) -> Reading:
        """Read clocks, power, temperature and throttling of this moment."""
        nvml = self._nvml
        if nvml is None:
            return Reading()
        power = self._ask(lambda: nvml.nvmlDeviceGetPowerUsage(self._handle))
        # Newer bindings call the throttle reasons event reasons; older ones have only the first name.
        ask = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None) or (
            nvml.nvmlDeviceGetCurrentClocksThrottleReasons
        )
        return Reading(
            sm_clock_mhz=self._ask(lambda: nvml.nvmlDeviceGetClockInfo(self._handle, nvml.NVML_CLOCK_SM)),
            memory_clock_mhz=self._ask(
                lambda: nvml.nvmlDeviceGetClockInfo(self._handle, nvml.NVML_CLOCK_MEM)
            ),
            power_watts=None if power is None else power / 1e3,
            temperature_celsius=self._ask(
                lambda: nvml.nvmlDeviceGetTemperature(self._handle, nvml.NVML_TEMPERATURE_GPU)
            ),
            throttle=decode_reasons(self._ask(lambda: ask(self._handle)) or 0),
        )

    def read_joules(self) -> float | None:
        """Read the energy drawn since the driver was loaded."""
        millijoules = self._ask(lambda: self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        return None if millijoules is None else millijoules / 1e3

    def read_driver(self) -> str | None:
        """Read the driver's version."""
        return self._ask(lambda: str(self._nvml.nvmlSystemGetDriverVersion()))

    def read_power_limit(self) -> float | None:
        """Read the power limit in watts."""
        milliwatts = self._ask(lambda: self._nvml.nvmlDeviceGetEnforcedPowerLimit(self._handle))
        return None if milliwatts is None else milliwatts / 1e3

    def read_highest_clock(self, kind: str) -> int | None:
        """Read the highest clock in MHz; the kind is ``SM`` or ``MEM``."""
        return self._ask(
            lambda: int(
                self._nvml.nvmlDeviceGetMaxClockInfo(self._handle, getattr(self._nvml, f"NVML_CLOCK_{kind}"))
            )
        )

    def _ask(self, ask: Callable[[], Answer]) -> Answer | None:
        if self._nvml is None:
            return None
        with suppress(self._nvml.NVMLError, AttributeError):
            return ask()
        return None


def open_telemetry(uuid: str) -> Telemetry:
    """Open the telemetry of a GPU; a silent one where the package, the driver or the GPU has none.

    Args:
        uuid: the GPU's UUID, which identifies it whatever CUDA_VISIBLE_DEVICES hides.
    """
    try:
        import pynvml
    except ImportError:
        return Telemetry()
    # torch gives a UUID without the prefix that NVML's have.
    name = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
    try:
        pynvml.nvmlInit()
        return Telemetry(pynvml, pynvml.nvmlDeviceGetHandleByUUID(name))
    except pynvml.NVMLError:
        return Telemetry()
