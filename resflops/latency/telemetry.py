"""Reads what a GPU tells of itself by NVML: clocks, power, temperature, throttling, energy. Nothing is set.

nvidia-ml-py may be missing, and a driver may not tell everything: what is not told is None.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any, Self, TypeVar

from resflops.latency.series import POWER_CAP, Reading

__all__ = [
    "BETWEEN_READINGS",
    "REASONS",
    "JoulesAt",
    "Sampler",
    "Telemetry",
    "decode_reasons",
    "open_telemetry",
]

Answer = TypeVar("Answer")

REASONS = {
    0x04: POWER_CAP,
    0x08: "hardware slowdown",
    0x20: "thermal, by software",
    0x40: "thermal, by hardware",
    0x80: "power brake",
}
"""The bits of NVML's clocks event reasons that hold clocks back against the user's wish. Idle,
clocks set by the user and synchronised boost do not."""

_INSTANT_POWER = 186
"""NVML_FI_DEV_POWER_INSTANT. What nvmlDeviceGetPowerUsage tells is the mean of a second on Hopper, longer
than a round."""

BETWEEN_READINGS = 0.02
"""Seconds between two readings while a round is measured."""

BETWEEN_JOULES = 0.002
"""Seconds between two looks at the energy counter."""

JoulesAt = tuple[float, float]
"""When the energy counter moved, and the joules that it told then."""


def decode_reasons(bits: int) -> tuple[str, ...]:
    """Decode why clocks are held back.

    >>> decode_reasons(0x01 | 0x04 | 0x40)
    ('power cap', 'thermal, by hardware')
    """
    return tuple(reason for bit, reason in REASONS.items() if bits & bit)


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
        return Reading(
            sm_clock_mhz=self._ask(lambda: nvml.nvmlDeviceGetClockInfo(self._handle, nvml.NVML_CLOCK_SM)),
            memory_clock_mhz=self._ask(
                lambda: nvml.nvmlDeviceGetClockInfo(self._handle, nvml.NVML_CLOCK_MEM)
            ),
            power_watts=self._read_watts(),
            temperature_celsius=self._ask(
                lambda: nvml.nvmlDeviceGetTemperature(self._handle, nvml.NVML_TEMPERATURE_GPU)
            ),
            throttle=self._read_reasons(),
        )

    def _read_watts(self) -> float | None:
        def read_instant() -> float:
            (field,) = self._nvml.nvmlDeviceGetFieldValues(self._handle, [_INSTANT_POWER])
            if field.nvmlReturn:
                raise self._nvml.NVMLError(field.nvmlReturn)
            return float(field.value.uiVal)

        milliwatts = self._ask(read_instant)
        if milliwatts is None:
            milliwatts = self._ask(lambda: float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)))
        return None if milliwatts is None else milliwatts / 1e3

    def _read_reasons(self) -> tuple[str, ...] | None:
        # Newer bindings call the throttle reasons event reasons; older bindings, and older drivers under
        # newer bindings, have only the first name.
        for name in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
            bits = self._ask(lambda name=name: getattr(self._nvml, name)(self._handle))  # type: ignore[misc]
            if bits is not None:
                return decode_reasons(bits)
        return None

    @property
    def silent(self) -> bool:
        """Whether there is nothing to ask: no NVML, or none that knows the GPU."""
        return self._nvml is None

    def read_joules(self) -> float | None:
        """Read the energy drawn since the driver was loaded."""
        millijoules = self._ask(lambda: self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        return None if millijoules is None else millijoules / 1e3

    @contextmanager
    def watch_joules(self, clock: Callable[[], float]) -> Iterator[list[JoulesAt]]:
        """Watch the energy counter by a thread of its own; the list grows by every move of it.

        Args:
            clock: what tells when it moved.
        """
        moves, over = list[JoulesAt](), Event()

        def watch() -> None:
            counter = self.read_joules()
            while not over.wait(BETWEEN_JOULES):
                joules = self.read_joules()
                if joules is not None and joules != counter:
                    moves.append((clock(), joules))
                counter = joules

        thread = Thread(target=watch, name="resflops-joules", daemon=True)
        thread.start()
        try:
            yield moves
        finally:
            over.set()
            thread.join()

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

    def read_modes(self) -> dict[str, Any]:
        """Read what a GPU is set to: error correction, parts, persistence, and who else computes on it."""
        nvml, handle = self._nvml, self._handle
        others = self._ask(
            lambda: sum(each.pid != os.getpid() for each in nvml.nvmlDeviceGetComputeRunningProcesses(handle))
        )
        return {
            "ecc": _name_mode(self._ask(lambda: nvml.nvmlDeviceGetEccMode(handle)[0])),
            "mig": _name_mode(self._ask(lambda: nvml.nvmlDeviceGetMigMode(handle)[0])),
            "persistence": _name_mode(self._ask(lambda: nvml.nvmlDeviceGetPersistenceMode(handle))),
            "other_processes": others,
        }

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
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return Telemetry()
    # torch gives a UUID without the prefix that NVML's have: one for a GPU, another for a part of one.
    for prefix in ("", "GPU-", "MIG-"):
        with suppress(pynvml.NVMLError):
            return Telemetry(pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"{prefix}{uuid}"))
    return Telemetry()


class Sampler:
    """Readings every so often while something is measured, by a thread of its own."""

    def __init__(self, telemetry: Telemetry, *, seconds: float = BETWEEN_READINGS) -> None:
        self._telemetry, self._seconds = telemetry, seconds
        self._readings: list[Reading] = []
        self._over = Event()
        self._thread = Thread(target=self._read, name="resflops-telemetry", daemon=True)

    def __enter__(self) -> Self:
        # Without anything to ask no thread takes the interpreter's lock.
        if not self._telemetry.silent:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _read(self) -> None:
        while not self._over.wait(self._seconds):
            self._readings.append(self._telemetry.take_reading())

    def summarize(self) -> Reading:
        """Summarise the readings: the median of every figure, the least SM clock, and all reasons."""
        readings = self._readings or [self._telemetry.take_reading()]
        told = [reading.throttle for reading in readings if reading.throttle is not None]
        clocks = _list_known(readings, "sm_clock_mhz")
        return Reading(
            sm_clock_mhz=_find_median(clocks),
            least_sm_clock_mhz=min(clocks, default=None),
            memory_clock_mhz=_find_median(_list_known(readings, "memory_clock_mhz")),
            power_watts=_find_median(_list_known(readings, "power_watts")),
            temperature_celsius=_find_median(_list_known(readings, "temperature_celsius")),
            throttle=tuple(dict.fromkeys(reason for reasons in told for reason in reasons)) if told else None,
        )


def _name_mode(mode: int | None) -> str | None:
    return None if mode is None else "on" if mode else "off"


def _list_known(readings: list[Reading], name: str) -> list[Any]:
    return [value for reading in readings if (value := getattr(reading, name)) is not None]


def _find_median(values: list[Any]) -> Any:  # noqa: ANN401 - whole numbers stay whole
    """Find the middle value, the lower of two; None of none."""
    return sorted(values)[(len(values) - 1) // 2] if values else None
