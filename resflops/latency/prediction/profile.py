"""What was learned of a machine: how long single ops take, and how far predictions from them were off."""

from msgspec import Struct

from resflops.errors import UsageError
from resflops.latency.configuration import Configuration
from resflops.latency.machine import Environment
from resflops.latency.prediction.sized_ops import SizedOp
from resflops.latency.statistics import median
from resflops.storage import Stored

__all__ = ["Error", "Evaluation", "Profile", "Sample"]


class Sample(Struct, frozen=True, array_like=True):
    """An op that was timed, and the median of its times."""

    sized: SizedOp
    seconds: float


class Evaluation(Struct, frozen=True, kw_only=True):
    """A network that was both timed and predicted."""

    model: str
    batch: int = 1
    measured: float
    """The median of its times."""
    predicted: float

    @property
    def error(self) -> float:
        """How far the prediction is above the measured time, relative to it."""
        return self.predicted / self.measured - 1


class Error(Struct, frozen=True, kw_only=True):
    """How far predictions were off, on networks that were timed."""

    median: float
    """The median of the errors without their signs."""
    largest: float
    batch: int
    networks: tuple[str, ...]


class Profile(Stored, frozen=True, kw_only=True, dict=True, tag="time-profile"):
    """The times of single ops on one machine, and the errors of what was predicted from them."""

    environment: Environment
    device: str = "cpu"
    dtype: str = "float32"
    mode: str = "eager"
    started: str
    """Date and time in UTC, ISO 8601."""
    budget: float
    """Seconds that ops were timed for."""
    samples: tuple[Sample, ...]
    evaluations: tuple[Evaluation, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Profile({self.environment.device}, {self.dtype}: {len(self.samples):,} ops timed, "
            f"{len(self.evaluations)} predictions tried)"
        )

    def check(self) -> None:
        """Check that all times are above zero, as their logarithms are taken."""
        times = [sample.seconds for sample in self.samples]
        times += [each for one in self.evaluations for each in (one.measured, one.predicted)]
        if min(times, default=1.0) <= 0:
            raise ValueError("a time is not above zero")
        if any(size < 0 for sample in self.samples for size in sample.sized.sizes):
            raise ValueError("a size is below zero")

    def require_machine(self, environment: Environment) -> None:
        """Check that it was taken on a machine, with the same software and settings.

        Raises:
            UsageError: it was not.
        """
        differences = environment.find_differences(self.environment)
        if differences:
            raise UsageError(
                f"the profile does not hold for this machine or its settings: {'; '.join(differences)}; "
                "name another file, in which a profile of this machine is made"
            )

    def require_setting(self, configuration: Configuration) -> None:
        """Check that it holds for how a model is to run.

        Raises:
            UsageError: it does not.
        """
        asked = {
            "device": configuration.device,
            "dtype": configuration.dtype,
            "mode": configuration.mode,
            "memory format": configuration.memory_format,
            "training": "yes" if configuration.training else "no",
        }
        known = {
            "device": self.device,
            "dtype": self.dtype,
            "mode": self.mode,
            "memory format": "contiguous",
            "training": "no",
        }
        unlike = [
            f"{name} {asked[name]} where it is {known[name]}" for name in asked if asked[name] != known[name]
        ]
        if unlike:
            raise UsageError(
                f"the profile does not hold for what is asked: {', '.join(unlike)}; measure without --predict"
            )

    def find_error(self, model: str, batch: int) -> Error:
        """Find how far predictions were off at the batch that is nearest, the model itself left out.

        Raises:
            UsageError: no prediction from this profile has been compared with a time.
        """
        others = [each for each in self.evaluations if each.model != model]
        if not others:
            raise UsageError(
                "the profile has no network that was both timed and predicted, so the error of a prediction "
                "is not known; name another file, in which a profile is made with them"
            )
        nearest = min((each.batch for each in others), key=lambda known: (abs(known - batch), known))
        alike = [each for each in others if each.batch == nearest]
        errors = [abs(each.error) for each in alike]
        return Error(
            median=median(errors),
            largest=max(errors),
            batch=nearest,
            networks=tuple(each.model for each in alike),
        )
