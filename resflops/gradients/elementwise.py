"""Gradients of ops that do the same to every element: a table of prices per output element.

``y'`` is the gradient that arrives. The counts are those of the formula beside them,
written with the op's output where that is shorter.
"""

from math import prod

from resflops.gradients.registry import gradient_rule
from resflops.records import OpRecord, Work

_PASS = Work()
_MULTIPLY = Work(arithmetic=1)
_SELECT = Work(comparisons=1)

PER_ELEMENT: dict[str, Work | tuple[Work, ...]] = {
    # One entry for every operand where they differ. The gradient passes as it is, or negated.
    "add": _PASS,
    "sub": (_PASS, _MULTIPLY),
    "rsub": (_MULTIPLY, _PASS),
    "neg": _MULTIPLY,
    # Steps: the gradient is zero, and autograd carries it on.
    **dict.fromkeys(("floor", "ceil", "round", "trunc", "sign", "sgn", "frac"), _PASS),
    "nan_to_num": _SELECT,
    "mul": _MULTIPLY,
    # y'/b, and -y'·y/b.
    "div": (_MULTIPLY, Work(arithmetic=3)),
    "true_divide": (_MULTIPLY, Work(arithmetic=3)),
    # -y'·floor(a/b) for the divisor.
    "remainder": (_PASS, Work(arithmetic=4)),
    "fmod": (_PASS, Work(arithmetic=4)),
    "deg2rad": _MULTIPLY,
    "rad2deg": _MULTIPLY,
    "conj_physical": _MULTIPLY,
    "square": Work(arithmetic=2),
    # -y'·y².
    "reciprocal": Work(arithmetic=3),
    # (1-w)·y', w·y' and, for a tensor of weights, (b-a)·y'.
    "lerp": (Work(arithmetic=2), _MULTIPLY, Work(arithmetic=2)),
    "addcmul": (_PASS, Work(arithmetic=2), Work(arithmetic=2)),
    "addcdiv": (_PASS, Work(arithmetic=2), Work(arithmetic=4)),
    **dict.fromkeys(
        ("relu", "clamp_min", "clamp_max", "threshold", "hardshrink", "softshrink", "maximum", "minimum",
         "fmax", "fmin"),
        _SELECT,
    ),
    "relu6": Work(comparisons=2),
    "hardtanh": Work(comparisons=2),
    "abs": Work(comparisons=1, arithmetic=1),
    "copysign": (Work(comparisons=1, arithmetic=1), _PASS),
    "leaky_relu": Work(comparisons=1, arithmetic=1),
    "rrelu": Work(comparisons=1, arithmetic=1),
    "rrelu_with_noise": Work(comparisons=1, arithmetic=1),
    # y'·y; y'·y·ln 2; y'·(y + 1).
    "exp": _MULTIPLY,
    "exp2": Work(arithmetic=2),
    "expm1": Work(arithmetic=2),
    # y'/x, over the logarithm of the base, or over 1 + x.
    "log": _MULTIPLY,
    **dict.fromkeys(("log2", "log10", "log1p"), Work(arithmetic=2)),
    # y'/(2y) and -y'·y³/2.
    "sqrt": Work(arithmetic=2),
    "rsqrt": Work(arithmetic=4),
    "sin": Work(arithmetic=1, transcendental=1),
    "cos": Work(arithmetic=2, transcendental=1),
    "tan": Work(arithmetic=3),
    # y'/√(1 - x²), and so on.
    "asin": Work(arithmetic=3, transcendental=1),
    "acos": Work(arithmetic=4, transcendental=1),
    "atan": Work(arithmetic=3),
    # y'·b/(a² + b²).
    "atan2": Work(arithmetic=5),
    "sinh": Work(arithmetic=1, transcendental=1),
    "cosh": Work(arithmetic=1, transcendental=1),
    # y'·(1 - y²).
    "tanh": Work(arithmetic=3),
    "asinh": Work(arithmetic=3, transcendental=1),
    "acosh": Work(arithmetic=3, transcendental=1),
    "atanh": Work(arithmetic=3),
    # y'·c·e^(-x²) and y'·c·e^(y²).
    "erf": Work(arithmetic=4, transcendental=1),
    "erfc": Work(arithmetic=4, transcendental=1),
    "erfinv": Work(arithmetic=3, transcendental=1),
    # y'·(1/x + 1/(1-x)).
    "logit": Work(arithmetic=4),
    # y'·a/y.
    "hypot": Work(arithmetic=2),
    # y'·y·(1-y).
    "sigmoid": Work(arithmetic=3),
    # y'·σ(-x), the sigmoid anew.
    "logsigmoid": Work(arithmetic=5, transcendental=1),
    "softplus": Work(comparisons=1, arithmetic=4, transcendental=1),
    # y'·e^(a-y) for either.
    "logaddexp": Work(arithmetic=2, transcendental=1),
    "logaddexp2": Work(arithmetic=2, transcendental=1),
    # y'·σ·(1 + x·(1-σ)), the sigmoid anew.
    "silu": Work(arithmetic=8, transcendental=1),
    "hardsigmoid": Work(comparisons=2, arithmetic=1),
    # y'·(x/3 + 1/2).
    "hardswish": Work(comparisons=2, arithmetic=3),
    # y'/(1 + |x|)².
    "softsign": Work(comparisons=1, arithmetic=3),
    # y'·(t + x·σ·(1-t²)) with t the hyperbolic tangent of softplus(x), both anew.
    "mish": Work(arithmetic=10, transcendental=4),
    # On the negative side y'·(y + a), y'·(y/a + 1) and y'·(y + λa); on the positive y' or λ·y'.
    "elu": Work(comparisons=1, arithmetic=2),
    "celu": Work(comparisons=1, arithmetic=3),
    "selu": Work(comparisons=1, arithmetic=2),
    # y'·(Φ(x) + x·φ(x)): Φ anew 3 and erf, φ 3 and exp, and 3 to join them.
    "gelu": Work(arithmetic=9, transcendental=2),
    # The tanh anew 5 and 1, (1+t)/2 2, 1-t² 2, the inner function's gradient 3, and 5 to join them.
    "gelu_tanh": Work(arithmetic=17, transcendental=1),
    "dequantize": _MULTIPLY,
}  # fmt: skip
"""What the gradient of one element of the output takes, for the input or for each of the inputs."""


def _summary(each: Work | tuple[Work, ...]) -> str:
    if isinstance(each, Work):
        return f"per element: {_counts(each)}"
    return "per element: " + "; ".join(f"input {place} {_counts(one)}" for place, one in enumerate(each))


def _counts(work: Work) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in work.kinds()) or "nothing"


def _added_up(record: OpRecord, operand: int) -> int:
    """Additions that fold the gradient of the output's shape into that of an input broadcast to it."""
    return max(prod(record.output_shape) - prod(record.input_shapes[operand]), 0)


def _per_element(op: str, each: Work | tuple[Work, ...]) -> None:
    @gradient_rule(op, summary=_summary(each))
    def elementwise(record: OpRecord, operand: int) -> Work:
        price = each if isinstance(each, Work) else each[min(operand, len(each) - 1)]
        work = price.times(prod(record.output_shape))
        return Work(
            arithmetic=work.arithmetic + _added_up(record, operand),
            comparisons=work.comparisons,
            transcendental=work.transcendental,
        )


for _op, _each in PER_ELEMENT.items():
    _per_element(_op, _each)


@gradient_rule("pow")
def power_gradient(record: OpRecord, operand: int) -> Work:
    """Per element n multiplications for a whole exponent n of 2, 3 or 4, else 3 arithmetic and a power.

    The exponent, where it is a tensor: ``y'·y·ln x``, 2 arithmetic and a logarithm; where
    the base is a number, its logarithm is one too.
    """
    points, exponent = prod(record.output_shape), record.attributes.get("exponent")
    if exponent in (2, 3, 4):
        return Work(arithmetic=points * round(float(exponent)))
    if operand == 1:
        return Work(arithmetic=2 * points + _added_up(record, operand), transcendental=points)
    if len(record.input_shapes) == 1 and exponent is None:
        return Work(arithmetic=2 * points)
    return Work(arithmetic=3 * points + _added_up(record, operand), transcendental=points)


@gradient_rule("clamp", takes=(0,))
def clamp_gradient(record: OpRecord, operand: int) -> Work:
    """Per element: one comparison for each limit that is given."""
    del operand
    limits = [record.attributes.get(name, 0) for name in ("min", "max")]
    return Work(comparisons=prod(record.output_shape) * sum(limit is not None for limit in limits))


@gradient_rule("glu")
def gated_linear_unit_gradient(record: OpRecord, operand: int) -> Work:
    """Per output element 7 arithmetic and an exponential: the gate anew 3, y'·σ 1, and 3 to y'·a·σ·(1-σ)."""
    del operand
    points = prod(record.output_shape)
    return Work(arithmetic=7 * points, transcendental=points)


@gradient_rule("prelu")
def learned_slope_gradient(record: OpRecord, operand: int) -> Work:
    """Per element a comparison and a multiplication; the slope's are added up."""
    points = prod(record.output_shape)
    return Work(comparisons=points, arithmetic=points + _added_up(record, operand))


@gradient_rule(
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", takes=(0,)
)  # fmt: skip
def dropout_gradient(record: OpRecord, operand: int) -> Work:
    """Nothing in eval mode; in training a multiplication by the scaled mask per element."""
    del operand
    return Work(arithmetic=prod(record.output_shape) if record.attributes.get("training") else 0)
