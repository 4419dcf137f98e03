"""Operators of classical machine learning, whose schemas say little of what they give."""

from collections.abc import Iterable

from resflops.sources.onnx_files.contributed._rules import Given, Output, outputs
from resflops.sources.onnx_files.tensors import GraphTensor

DOMAIN = "ai.onnx.ml"

NUMBERS = GraphTensor(name="", dtype="float32")
LABELS = GraphTensor(name="", dtype="int64")
TEXTS = GraphTensor(name="", dtype="string")


@outputs("Normalizer", "Scaler", domain=DOMAIN)
def _give_numbers(given: Given) -> Iterable[Output]:
    yield NUMBERS, given.sizes(0)


@outputs("Binarizer", "Imputer", domain=DOMAIN)
def _give_same(given: Given) -> Iterable[Output]:
    yield given.get(0), given.sizes(0)


@outputs("ArrayFeatureExtractor", domain=DOMAIN)
def _extract(given: Given) -> Iterable[Output]:
    count = 1
    for size in given.sizes(1):
        # An unknown size raises an error here, and the output stays unknown.
        count *= size  # type: ignore[operator]
    yield given.get(0), (*(given.sizes(0)[:-1] or (1,)), count)


@outputs("LinearRegressor", "SVMRegressor", "TreeEnsembleRegressor", domain=DOMAIN)
def _regress(given: Given) -> Iterable[Output]:
    name = "n_targets" if "n_targets" in given.attributes else "targets"
    yield NUMBERS, (_count_rows(given), given.number(name, 1))


@outputs("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier", domain=DOMAIN)
def _classify(given: Given) -> Iterable[Output]:
    texts = given.attributes.get("classlabels_strings") or given.attributes.get("classlabels_string")
    labels = texts or given.attributes.get("classlabels_ints") or given.attributes["classlabels_int64s"]
    rows = _count_rows(given)
    yield TEXTS if texts else LABELS, (rows,)
    yield NUMBERS, (rows, len(labels))


def _count_rows(given: Given) -> int | None:
    sizes = given.sizes(0)
    return sizes[0] if len(sizes) > 1 else 1
