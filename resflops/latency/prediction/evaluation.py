"""Makes the profile of a machine: ops are timed, then networks are, beside what is predicted for them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

import torch
from msgspec import Struct
from msgspec.structs import replace
from torch import nn

from resflops.cost import price
from resflops.cost.convention import MACS
from resflops.latency.configuration import Configuration
from resflops.latency.devices import open_device
from resflops.latency.models import MeasurableModule, prepare_measurable
from resflops.latency.prediction.networks import Dense, Separable, Transformer
from resflops.latency.prediction.predicting import Predictor
from resflops.latency.prediction.profile import Evaluation, Profile
from resflops.latency.prediction.timing import time_ops
from resflops.latency.prepare import PreparedModel
from resflops.latency.schedule import Effort
from resflops.latency.session import Session
from resflops.sources import find
from resflops.sources.building import open_found_model
from resflops.sources.steps import Step
from resflops.tracing import trace
from resflops.tracing.generators import preserve_generators

__all__ = ["BUDGET", "make_profile"]

BUDGET = 90.0
"""Seconds that ops are timed for by default; with the networks a profile takes about two minutes."""

EFFORT = Effort(rounds=5, warm_up=0.05, seconds=0.1, least=2, most=20)


class TriedNetwork(Struct, frozen=True, kw_only=True):
    """A network that predictions are tried on."""

    make: Callable[[], nn.Module]
    side: int
    batches: tuple[int, ...] = (1, 8)


def _load(spec: str) -> nn.Module:
    return open_found_model(find(spec), device="cpu").module


NETWORKS: Mapping[str, TriedNetwork] = {
    "resnet18": TriedNetwork(make=partial(_load, "resnet18"), side=224),
    "resnet20": TriedNetwork(make=partial(_load, "resnet20"), side=32),
    # Its steps are long, and more images make them no more telling.
    "vgg11": TriedNetwork(make=partial(_load, "vgg11"), side=224, batches=(1,)),
    "separable": TriedNetwork(make=Separable, side=224),
    "dense": TriedNetwork(make=Dense, side=224),
    "transformer": TriedNetwork(make=Transformer, side=224),
}


def make_profile(
    *,
    dtype: str = "float32",
    budget: float = BUDGET,
    effort: Effort = EFFORT,
    networks: Mapping[str, TriedNetwork] = NETWORKS,
    say: Callable[[str], None] = lambda _: None,
) -> Profile:
    """Make a profile of this machine under the settings that torch has.

    Args:
        dtype: the element type.
        budget: seconds that ops are timed for.
        effort: how long the networks are timed.
        networks: the networks that predictions are tried on.
        say: called with a line of progress.
    """
    _, environment = open_device("cpu")
    profile = Profile(
        environment=environment,
        dtype=dtype,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        budget=budget,
        samples=time_ops(
            dtype=getattr(torch, dtype),
            budget=budget,
            say=lambda spent: say(Step("timing ops", round(100 * spent), of=100)),
        ),
    )
    return replace(profile, evaluations=_evaluate(profile, effort, networks, say))


def _evaluate(
    profile: Profile,
    effort: Effort,
    networks: Mapping[str, TriedNetwork],
    say: Callable[[str], None],
) -> tuple[Evaluation, ...]:
    """Time networks in turns, and predict each."""
    device, _ = open_device("cpu")
    predictor = Predictor(profile)
    subjects: dict[Configuration, Callable[[], PreparedModel]] = {}
    predicted: dict[Configuration, float] = {}
    for name, network in networks.items():
        with preserve_generators():
            module = network.make().eval()
        for batch in network.batches:
            image = torch.zeros(batch, 3, network.side, network.side)
            configuration = Configuration(model=name, device="cpu", batch=batch, dtype=profile.dtype)
            predicted[configuration] = predictor.predict(price(trace(module, image), MACS)).seconds
            measurable = MeasurableModule(module, (image,), {})
            subjects[configuration] = partial(prepare_measurable, measurable, configuration, device)
    session = Session(subjects, device, effort)
    visits = len(session.list_missing())
    for place, (_, configuration) in enumerate(session.run_rounds(), start=1):
        say(Step(f"timing {configuration.model}", place, of=max(place, visits)))
    return tuple(
        Evaluation(
            model=key.model,
            batch=key.batch,
            measured=time.median,
            predicted=round(predicted[key], 9),
        )
        for key, series in session.series.items()
        if (time := series.time)
    )
