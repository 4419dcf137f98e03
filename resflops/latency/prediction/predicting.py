"""Predicts how long a network takes that never runs, from the profile of a machine."""

from functools import cache

from msgspec import Struct

from resflops.cost import Cost
from resflops.errors import SchemaError
from resflops.latency.configuration import Configuration
from resflops.latency.prediction.listing import LayerOp, list_ops
from resflops.latency.prediction.model import KindModel
from resflops.latency.prediction.profile import Error, Profile
from resflops.latency.prediction.sized_ops import COPY, MODULE, VIEW, SizedOp, stand_in

__all__ = ["PredictedRow", "Prediction", "Predictor"]


class Prediction(Struct, frozen=True, kw_only=True):
    """How long one forward pass takes, as far as its ops tell."""

    seconds: float
    layers: dict[str, float]
    """Seconds by layer."""
    stand_ins: dict[str, str]
    """Ops of kinds that were not timed, each with what its time was taken from."""
    share_of_stand_ins: float
    """Their share of the time."""


class PredictedRow(Struct, frozen=True, kw_only=True):
    """What was predicted for one configuration; or why nothing was."""

    configuration: Configuration
    prediction: Prediction | None = None
    error: Error | None = None
    macs: int | None = None
    layer_macs: dict[str, int] = {}
    failure: str = ""


class Predictor:
    """A profile, and what was learned from it so far."""

    def __init__(self, profile: Profile) -> None:
        """Group what was timed by kinds.

        Raises:
            SchemaError: the profile lacks what every prediction needs.
        """
        self.profile = profile
        self._kinds: dict[str, tuple[list[SizedOp], list[float]]] = {}
        for sample in profile.samples:
            ops, seconds = self._kinds.setdefault(sample.sized.kind, ([], []))
            ops.append(sample.sized)
            seconds.append(sample.seconds)
        lacking = [kind for kind in (COPY, MODULE, VIEW, "matmul", "convolution") if kind not in self._kinds]
        if lacking:
            raise SchemaError(f"the profile has no times of {', '.join(lacking)}; make another one")
        # A kind is learned when it is first asked for.
        self._learn = cache(lambda kind: KindModel(*self._kinds[kind]))

    def predict_row(self, configuration: Configuration, cost: Cost) -> PredictedRow:
        """Predict the time of a configuration, with the error of such predictions.

        Raises:
            UsageError: the profile does not hold for it, or does not know how far it errs.
        """
        self.profile.require_setting(configuration)
        error = self.profile.find_error(configuration.model, configuration.batch)
        layers: dict[str, int] = {}
        for row in cost.layers:
            layers[row.name] = layers.get(row.name, 0) + row.macs
        return PredictedRow(
            configuration=configuration,
            prediction=self.predict(cost),
            error=error,
            macs=cost.macs,
            layer_macs=layers,
        )

    def predict(self, cost: Cost) -> Prediction:
        """Predict the time of one forward pass, whose ops were counted with their batch."""
        found = list_ops(cost)
        taken: dict[str, str] = {}
        sized = [self._find_timed(each, taken) for each in found]
        pace = self.profile.find_pace(cost.model)
        seconds = [pace * each for each in self._predict_ops(sized)]
        layers: dict[str, float] = {}
        for each, time in zip(found, seconds, strict=True):
            layers[each.layer] = layers.get(each.layer, 0.0) + time
        whole = sum(seconds)
        standing = sum(
            time for each, time in zip(found, seconds, strict=True) if each.record and each.record.op in taken
        )
        return Prediction(
            seconds=whole,
            layers=layers,
            stand_ins=taken,
            share_of_stand_ins=standing / whole if whole else 0.0,
        )

    def _find_timed(self, each: LayerOp, taken: dict[str, str]) -> SizedOp:
        """Find an op of a kind that was timed, and note it if that is another one."""
        sized = each.sized
        while sized.kind not in self._kinds and each.record:
            sized, taken[each.record.op] = stand_in(each.record, sized, each.work)
        return sized

    def _predict_ops(self, ops: list[SizedOp]) -> list[float]:
        """Predict all ops of a kind at once, and equal ones once."""
        times: dict[SizedOp, float] = {}
        for kind in dict.fromkeys(op.kind for op in ops):
            alike = [op for op in dict.fromkeys(ops) if op.kind == kind]
            times.update(zip(alike, self._learn(kind).predict(alike), strict=True))
        return [times[op] for op in ops]
