"""Predicts how long networks take on a machine, from ops that were timed on it, and tells how far it errs.

``timing`` times ops of the sizes that ``designs`` draws, ``evaluation`` times some networks as well, and both
are kept in a ``Profile``. ``listing`` turns a network's trace into ops of kinds and sizes, and ``predicting``
adds up what ``model`` learned of each kind: no kernel of the network runs. What touches torch (``evaluation``
and what it needs) is imported when a profile is made.
"""

from resflops.latency.prediction.predicting import PredictedRow, Prediction, Predictor
from resflops.latency.prediction.profile import Error, Evaluation, Profile, Sample, require_predictable
from resflops.latency.prediction.sized_ops import SizedOp

__all__ = [
    "Error",
    "Evaluation",
    "PredictedRow",
    "Prediction",
    "Predictor",
    "Profile",
    "Sample",
    "SizedOp",
    "require_predictable",
]
