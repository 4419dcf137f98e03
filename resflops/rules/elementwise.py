"""Ops that do the same to every element: a table of prices per output element."""

from math import prod

from resflops.records import OpRecord, Work
from resflops.rules.registry import rule

_ADD = Work(arithmetic=1)
_COMPARE = Work(comparisons=1)
_FUNCTION = Work(transcendental=1)

PER_ELEMENT: dict[str, Work] = {
    **dict.fromkeys(
        ("add", "sub", "rsub", "mul", "div", "true_divide", "floor_divide", "remainder", "fmod", "neg",
         "square", "reciprocal", "floor", "ceil", "round", "trunc", "frac", "lerp", "bitwise_and",
         "bitwise_or",
         "bitwise_xor", "bitwise_not", "logical_and", "logical_or", "logical_not", "logical_xor",
         "bitwise_left_shift", "bitwise_right_shift", "deg2rad", "rad2deg", "conj_physical", "nextafter",
         "gcd", "lcm"),
        _ADD,
    ),
    **dict.fromkeys(
        ("relu", "abs", "sign", "eq", "ne", "lt", "le", "gt", "ge", "maximum", "minimum", "clamp_min",
         "clamp_max", "threshold", "isnan", "isinf", "isfinite", "hardshrink", "fmax", "fmin", "sgn",
         "signbit", "isposinf", "isneginf", "heaviside", "copysign"),
        _COMPARE,
    ),
    **dict.fromkeys(
        ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "sin", "cos", "tan",
         "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "erf", "erfc", "erfinv",
         "asinh", "acosh", "atanh", "angle", "lgamma", "digamma", "polygamma", "mvlgamma", "igamma",
         "igammac", "i0", "special_i0e", "special_i1", "special_i1e", "special_ndtri", "special_erfcx",
         "special_log_ndtr"),
        _FUNCTION,
    ),
    # The root of a² + b².
    "hypot": Work(arithmetic=3, transcendental=1),
    "xlogy": Work(arithmetic=1, transcendental=1),
    "special_xlog1py": Work(arithmetic=1, transcendental=1),
    # The logarithm of x / (1 - x).
    "logit": Work(arithmetic=2, transcendental=1),
    # The sine of πx over πx.
    "sinc": Work(arithmetic=2, transcendental=1),
    # The larger of the two, and the logarithm of 1 + e^-|difference|.
    "logaddexp": Work(comparisons=1, arithmetic=3, transcendental=2),
    "logaddexp2": Work(comparisons=1, arithmetic=3, transcendental=2),
    "ldexp": Work(arithmetic=1, transcendental=1),
    # Not a number, and the two infinities.
    "nan_to_num": Work(comparisons=3),
    "softshrink": Work(comparisons=2, arithmetic=1),
    "rrelu_with_noise": Work(comparisons=1, arithmetic=1),
    # Divide by the scale, add the zero point, round, and keep in range; and back.
    "quantize_per_tensor": Work(arithmetic=3, comparisons=2),
    "quantize_per_channel": Work(arithmetic=3, comparisons=2),
    "dequantize": Work(arithmetic=2),
    "relu6": Work(comparisons=2),
    "hardtanh": Work(comparisons=2),
    "leaky_relu": Work(comparisons=1, arithmetic=1),
    "prelu": Work(comparisons=1, arithmetic=1),
    "rrelu": Work(comparisons=1, arithmetic=1),
    # The negative side is a·(e^x - 1).
    "elu": Work(comparisons=1, arithmetic=2, transcendental=1),
    "celu": Work(comparisons=1, arithmetic=3, transcendental=1),
    "selu": Work(comparisons=1, arithmetic=3, transcendental=1),
    # One over 1 + e^-x.
    "sigmoid": Work(arithmetic=3, transcendental=1),
    "logsigmoid": Work(arithmetic=3, transcendental=2),
    "silu": Work(arithmetic=4, transcendental=1),
    "hardsigmoid": Work(comparisons=2, arithmetic=2),
    "hardswish": Work(comparisons=2, arithmetic=3),
    # The logarithm of 1 + e^x; beyond a threshold x itself.
    "softplus": Work(comparisons=1, arithmetic=1, transcendental=2),
    "softsign": Work(comparisons=1, arithmetic=2),
    "mish": Work(comparisons=1, arithmetic=2, transcendental=3),
    # Half of x, times 1 + erf(x/√2).
    "gelu": Work(arithmetic=4, transcendental=1),
    # Half of x, times 1 + tanh(√(2/π)·(x + 0.044715·x³)).
    "gelu_tanh": Work(arithmetic=8, transcendental=1),
    "addcmul": Work(arithmetic=3),
    "addcdiv": Work(arithmetic=3),
}  # fmt: skip
"""What one element of the output takes."""


def _summary(per_element: Work) -> str:
    return "Per element: " + ", ".join(f"{count} {_NAMES[kind]}" for kind, count in per_element.kinds()) + "."


_NAMES = {
    "arithmetic": "arithmetic",
    "comparisons": "by comparison",
    "transcendental": "transcendental",
}
"""The kinds of work, such that any number may stand before them."""


def _per_element(op: str, each: Work) -> None:
    @rule(op, summary=_summary(each))
    def elementwise(record: OpRecord) -> Work:
        points = prod(record.output_shape)
        return Work(
            arithmetic=points * each.arithmetic,
            comparisons=points * each.comparisons,
            transcendental=points * each.transcendental,
        )


for _op, _each in PER_ELEMENT.items():
    _per_element(_op, _each)


@rule("pow")
def power(record: OpRecord) -> Work:
    """Per element: n-1 multiplications for a whole exponent n of 2, 3 or 4, else one power."""
    points, exponent = prod(record.output_shape), record.attributes.get("exponent")
    if exponent in (2, 3, 4):
        return Work(arithmetic=points * (round(float(exponent)) - 1))
    return Work(transcendental=points)


@rule("clamp")
def clamp(record: OpRecord) -> Work:
    """Per element: one comparison for each limit that is given."""
    limits = [record.attributes.get(name, 0) for name in ("min", "max")]
    return Work(comparisons=prod(record.output_shape) * sum(limit is not None for limit in limits))


@rule("glu")
def gated_linear_unit(record: OpRecord) -> Work:
    """Per output element: a sigmoid and a multiplication."""
    points = prod(record.output_shape)
    return Work(arithmetic=4 * points, transcendental=points)


@rule("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
def dropout(record: OpRecord) -> Work:
    """Nothing in eval mode; in training a comparison with a random number and a scaling per element."""
    if not record.attributes.get("training"):
        return Work()
    points = prod(record.output_shape)
    return Work(comparisons=points, arithmetic=points)
