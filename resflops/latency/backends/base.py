"""The interface that every backend has."""

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from resflops.latency.backends.agreement import OutputError
from resflops.latency.backends.export import ExportedModels
from resflops.latency.configuration import Configuration
from resflops.latency.measurements import Attribution
from resflops.latency.models import Measurable
from resflops.latency.session import Device, Prepared, Step

__all__ = ["Backend", "PreparedRuntime", "Subject"]


class Subject(Struct, frozen=True, kw_only=True):
    """What is to be prepared, and what it shares with others of the run."""

    model: Measurable
    configuration: Configuration
    device: Device
    exports: ExportedModels


class PreparedRuntime(Struct, frozen=True, kw_only=True):
    """A step of a runtime other than torch, and how far its outputs are from those of eager torch."""

    step: Step
    error: OutputError
    notes: tuple[str, ...] = ()
    """What else a reader of its time should know."""
    cold_l2: bool = False
    held_before: int | None = None
    """None: it allocates where torch does not count."""


class Backend(Protocol):
    """What runs models."""

    def check_available(self, device: str) -> None:
        """Check that it can run something on a device.

        Raises:
            UsageError: it cannot; the message says what to install.
        """

    def read_facts(self, device: str) -> dict[str, str]:
        """Read what decides its times besides the configuration, by names for people."""

    def prepare(self, subject: Subject) -> Prepared:
        """Prepare a model as a step that can be timed."""

    def attribute(
        self,
        prepared: Any,  # noqa: ANN401 - what it has prepared itself
        subject: Subject,
        *,
        repetitions: int,
        block: Callable[[], None],
    ) -> Attribution:
        """Attribute the time of what it has prepared to layers."""
