"""Functions of one tensor, element by element."""

from resflops.ops import Call
from resflops.sources.onnx_files.operators._binding import OperatorCall, bind, operator

bind({
    "Abs": "abs", "Acos": "acos", "Acosh": "acosh", "Asin": "asin", "Asinh": "asinh", "Atan": "atan",
    "Atanh": "atanh", "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh", "Erf": "erf", "Erfc": "erfc",
    "Exp": "exp", "Floor": "floor", "IsNaN": "isnan", "Log": "log", "Neg": "neg", "Reciprocal": "reciprocal",
    "Round": "round", "Sign": "sign", "Sin": "sin", "Sinh": "sinh", "Sqrt": "sqrt", "Tan": "tan",
})  # fmt: skip


@operator("IsInf")
def read_infinity_test(node: OperatorCall) -> Call:
    """Read a test for infinity, perhaps of one sign only."""
    negative = node.attributes.get("detect_negative", 1)
    positive = node.attributes.get("detect_positive", 1)
    if positive and not negative:
        return node.call("isposinf")
    return node.call("isneginf" if negative and not positive else "isinf")
