"""Classical machine learning, against torch's ops."""

import pytest
import torch.nn.functional as F

from resflops.errors import ShapeError
from tests.sources.onnx_files.operators.nodes import Of, count_work, read_node, trace_function

ROWS = (6, 4)
CLASSES = {"classlabels_ints": [0, 1, 2], "coefficients": [1.0] * 12, "intercepts": [0.0] * 3}


def read(name, *inputs, **settings):
    return read_node(name, *inputs, domain="ai.onnx.ml", **settings)


@pytest.mark.parametrize(
    ("records", "own"),
    [
        pytest.param(
            read("Scaler", ROWS, offset=[1.0] * 4, scale=[2.0] * 4),
            trace_function(lambda x, centre, scale: (x - centre) * scale, ROWS, (4,), (4,)), id="scaler",
        ),
        pytest.param(
            read("Normalizer", ROWS, norm="L2"),
            trace_function(lambda x: x / x.norm(dim=-1, keepdim=True), ROWS), id="unit rows",
        ),
        pytest.param(
            read("Normalizer", ROWS),
            trace_function(lambda x: x / x.amax(-1, keepdim=True), ROWS), id="rows over their largest",
        ),
        pytest.param(
            read("LinearRegressor", ROWS, coefficients=[1.0] * 8, intercepts=[0.0] * 2, targets=2),
            trace_function(F.linear, ROWS, (2, 4), (2,)), id="regressor",
        ),
        pytest.param(
            read("LinearClassifier", ROWS, outputs=2, post_transform="SOFTMAX", **CLASSES),
            trace_function(lambda x, w, b: F.linear(x, w, b).softmax(-1).argmax(-1), ROWS, (3, 4), (3,)),
            id="classifier",
        ),
        pytest.param(
            read("LinearClassifier", ROWS, outputs=2, post_transform="LOGISTIC", **CLASSES),
            trace_function(lambda x, w, b: F.linear(x, w, b).sigmoid().argmax(-1), ROWS, (3, 4), (3,)),
            id="classifier by chances",
        ),
        pytest.param(
            read("Binarizer", ROWS, threshold=0.5), trace_function(lambda x: x > 0.5, ROWS), id="threshold"
        ),
    ],
)  # fmt: skip
def test_it_costs_what_its_parts_do(records, own):
    assert count_work(records) == count_work(own)


def test_its_outputs_have_their_sizes_and_types():
    (*_, record) = read("LinearClassifier", ROWS, outputs=2, **CLASSES)
    assert (record.output_shapes, record.dtype) == (((6,), (6, 3)), "int64")
    (record,) = read("ArrayFeatureExtractor", ROWS, Of("int64", 2))
    assert record.output_shapes == ((6, 2),)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("TreeEnsembleRegressor", {"n_targets": 2}),
        ("SVMRegressor", {}),
        ("LinearRegressor", {"coefficients": [1.0] * 4, "post_transform": "PROBIT"}),
    ],
)
def test_what_no_op_stands_for_is_uncounted_and_has_its_sizes(name, settings):
    (record,) = read(name, ROWS, **settings)
    assert (record.op, record.output_shapes) == (f"ai.onnx.ml.{name}", ((6, settings.get("n_targets", 1)),))


def test_coefficients_of_other_features_are_refused():
    with pytest.raises(ShapeError, match="has 12 coefficients"):
        read("LinearClassifier", (6, 5), outputs=2, **CLASSES)
