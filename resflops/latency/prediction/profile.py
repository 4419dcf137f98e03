"""What was learned of a machine: how long single ops take, and how far predictions from them were off."""

from collections.abc import Sequence

from msgspec import Struct

from resflops.errors import UsageError
from resflops.latency.configuration import Configuration, Setting
from resflops.latency.machine import Environment
from resflops.latency.prediction.sized_ops import SizedOp
from resflops.latency.statistics import median
from resflops.storage import Stored

__all__ = ["Error", "Evaluation", "Profile", "Sample", "require_predictable"]


class Sample(Struct, frozen=True, array_like=True):
    """An op that was timed, and the lower quartile of its times."""

    sized: SizedOp
    seconds: float


class Evaluation(Struct, frozen=True, kw_only=True):
    """A network that was both timed and predicted."""

    model: str
    batch: int = 1
    measured: float
    """The median of its times."""
    predicted: float
    """What its ops take together."""

    @property
    def error(self) -> float:
        """How far that is above the measured time, relative to it."""
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
    dtype: str
    """The element type of all ops; they ran eagerly, on the CPU, without autograd."""
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
        require_predictable([configuration])
        if configuration.dtype != self.dtype:
            raise UsageError(
                f"the profile was made in {self.dtype}, and {configuration.dtype} is asked for; name another "
                "file, in which a profile of that element type is made"
            )

    def find_pace(self, model: str) -> float:
        """Find how many times as long as their ops networks take, the model itself left out.

        This takes into account what a network has beyond its ops, such as how busy the machine was.
        """
        return _find_pace(self.evaluations, without=model)

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
        # As if each were asked for: by the pace of the others.
        errors = [
            abs(each.predicted * _find_pace(others, without=each.model) / each.measured - 1) for each in alike
        ]
        return Error(
            median=median(errors),
            largest=max(errors),
            batch=nearest,
            networks=tuple(each.model for each in alike),
        )


def _find_pace(evaluations: Sequence[Evaluation], *, without: str) -> float:
    ratios = [each.measured / each.predicted for each in evaluations if each.model != without]
    return median(ratios) if ratios else 1.0


def require_predictable(configurations: Sequence[Configuration]) -> None:
    """Check that there can be a profile that holds for some configurations.

    Raises:
        UsageError: there cannot.
    """
    usual = Configuration(model="", device="cpu").setting
    for name in set(Setting.__struct_fields__) - {"batch", "dtype"}:
        for each in configurations:
            asked = getattr(each.setting, name)
            if asked != getattr(usual, name):
                given = name.replace("_", " ") + ("" if asked is True else f" {asked}")
                raise UsageError(
                    f"times are predicted for inference on the CPU, eager and contiguous, and not for "
                    f"{given}; leave it out, or measure without --predict"
                )
    dtypes = list(dict.fromkeys(each.dtype for each in configurations))
    if len(dtypes) > 1:
        raise UsageError(
            f"a profile is of one element type, and {' and '.join(dtypes)} are asked for; give one"
        )
