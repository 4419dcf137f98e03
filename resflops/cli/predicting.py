"""``resflops bench --predict``: predict times from a profile of this machine, which is made if need be."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from resflops.cli.streams import warn
from resflops.errors import ModelError, ResflopsError
from resflops.latency.configuration import Configuration
from resflops.latency.prediction import PredictedRow, Predictor, Profile, require_predictable
from resflops.sources.steps import Step
from resflops.storage import blame_file

if TYPE_CHECKING:
    from resflops.latency.models import Measurable

__all__ = ["check_some_predicted", "load_profile", "predict_models"]

Say = Callable[[str], None]


def load_profile(path: str) -> Profile | None:
    """Load a profile; None if there is no such file.

    Raises:
        FileError: it cannot be read.
        SchemaError: it is something else, or damaged.
    """
    return Profile.load(path) if Path(path).exists() else None


def predict_models(
    args: argparse.Namespace,
    models: Mapping[str, "Measurable"],
    configurations: Sequence[Configuration],
    profile: Profile | None,
    say: Say,
) -> tuple[Profile, tuple[PredictedRow, ...]]:
    """Predict the time of every configuration; a model that cannot be counted is a row that says so.

    Args:
        args: the parsed arguments.
        models: the models by name; one that cannot be built raises why.
        configurations: what is asked for.
        profile: the profile of ``--predict``; None to make it.
        say: called with a line of progress.

    Raises:
        UsageError: the profile does not hold for this machine, or for what is asked.
    """
    require_predictable(configurations)
    from resflops.latency.devices import open_device
    from resflops.latency.flags import Flags, set_flags

    with set_flags(Flags(threads=args.threads)):
        if profile is None:
            profile = _make_profile(args.predict, configurations[0].dtype, say)
        _, environment = open_device("cpu")
    profile.require_machine(environment)
    for configuration in configurations:
        profile.require_setting(configuration)
    with blame_file(profile):
        return profile, tuple(_predict(models, configurations, Predictor(profile), say))


def _make_profile(path: str, dtype: str, say: Say) -> Profile:
    from resflops.latency.prediction.evaluation import make_profile

    warn(f"there is no {path} yet: ops and some networks are timed on this machine, which takes two minutes")
    profile = make_profile(dtype=dtype, say=say)
    profile.save(path)
    return profile


def _predict(
    models: Mapping[str, "Measurable"],
    configurations: Sequence[Configuration],
    predictor: Predictor,
    say: Say,
) -> Iterator[PredictedRow]:
    for number, configuration in enumerate(configurations, start=1):
        say(Step(f"predicting {configuration.model}", number, of=len(configurations)))
        # The profile's own refusals are of the whole command.
        predictor.profile.find_error(configuration.model, configuration.batch)
        try:
            cost = models[configuration.model].count(configuration)
        except ResflopsError as error:
            yield PredictedRow(configuration=configuration, failure=str(error))
        else:
            yield predictor.predict_row(configuration, cost)


def check_some_predicted(rows: Sequence[PredictedRow]) -> None:
    """Raise an error if nothing could be predicted, after the table has shown the reasons.

    Raises:
        ModelError: not one configuration has a time.
    """
    failed = [row for row in rows if row.prediction is None]
    if failed and len(failed) == len(rows):
        raise ModelError(f"{failed[0].configuration.describe()} could not be predicted: {failed[0].failure}")
