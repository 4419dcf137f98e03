"""Classical machine learning: linear models and what scales their features.

A tree compares as often as values decide, and a support vector machine is counted by no rule.
"""

from math import prod

from resflops.ops import Call, Mismatch
from resflops.sources.onnx_files.operators._binding import OperatorCall, Steps, bind, operator
from resflops.sources.onnx_files.tensors import GraphTensor

TRANSFORMS = {"LOGISTIC": "sigmoid", "SOFTMAX": "softmax"}


@operator("ai.onnx.ml.Scaler")
def read_scaling(node: OperatorCall) -> Steps:
    """Read ``(x - offset)·scale``."""
    centred = yield Call("sub", (node.require(0),), node.outputs[0].shape)
    return node.call("mul", (centred,))


@operator("ai.onnx.ml.Normalizer")
def read_unit_rows(node: OperatorCall) -> Steps:
    """Read rows over their norms, or over their largest element."""
    rows, kind = node.require(0), node.attributes.get("norm", "MAX")
    shape = (*rows.shape[:-1], 1)
    if kind == "MAX":
        norms = yield Call("amax", (rows,), shape, {"dim": -1})
    else:
        norms = yield Call("norm", (rows,), shape, {"ord": 1 if kind == "L1" else 2})
    return node.call("div", (rows, norms))


@operator("ai.onnx.ml.LinearRegressor", "ai.onnx.ml.LinearClassifier")
def read_linear_model(node: OperatorCall) -> Steps | None:
    """Read a linear layer, and the function that makes probabilities of its scores.

    The scores of a classifier are its second output; its first, the class, is the place of the largest.
    """
    kind = node.attributes.get("post_transform", "NONE")
    return _classify(node, kind) if kind in {*TRANSFORMS, "NONE"} else None


def _classify(node: OperatorCall, kind: str) -> Steps:
    rows = node.require(0)
    inner, weights = rows.shape[-1], len(node.attributes["coefficients"])
    if not inner or weights % inner:
        raise Mismatch(f"has {weights} coefficients, which are no whole number for each of {inner} features")
    weight = GraphTensor(name="", dtype="float32", sizes=(weights // inner, inner))
    shape = (prod(rows.shape[:-1]), weights // inner)
    bias = bool(node.attributes.get("intercepts"))
    scores = yield Call("linear", (rows, weight), shape, {"bias": bias}, dtype="float32")
    if kind != "NONE":
        attributes = {"dim": -1} if kind == "SOFTMAX" else {}
        scores = yield Call(TRANSFORMS[kind], (scores,), shape, dict(attributes))
    if node.op_type.endswith("Regressor"):
        return node.call("reshape", (scores,))
    return node.call("argmax", (scores,), {"dim": -1})


bind({"ai.onnx.ml.Binarizer": "gt", "ai.onnx.ml.Imputer": "where"}, inputs=1)
bind({"ai.onnx.ml.ArrayFeatureExtractor": "index"})
