"""Activation functions, element by element.

``y'`` in the comments is the gradient that arrives. Each count is that of the formula beside it,
which uses the op's output where that makes it shorter.
"""

from math import prod
from typing import Any

from resflops.ops._call import Call, TensorLike
from resflops.ops._declaration import AtenBinding, Gradient, Op, binding, each_gradient, op
from resflops.ops._elementwise import (
    COMPARE,
    EVALUATE,
    SELECT,
    SELF,
    bind_function,
    count_added_up,
    elementwise,
)
from resflops.records import OpRecord, Work

FAMILY = "activation"


def _activation(
    name: str,
    per_element: Work,
    gradient: Work | Gradient,
    *,
    saves: tuple[str, ...] | None,
    floating: bool = False,
    aten: AtenBinding = SELF,
    on_complex: Work | None = None,
    complex_gradient: Work | None = None,
) -> Op:
    """Declare an activation that both torch and its dispatcher call by this name."""
    return elementwise(
        name,
        per_element,
        family=FAMILY,
        on_complex=on_complex,
        gradient=gradient,
        complex_gradient=complex_gradient,
        bindings=bind_function(name, floating=floating),
        aten={name: aten},
        saves=saves,
    )


_activation("relu", COMPARE, SELECT, saves=("output",))
_activation("threshold", COMPARE, SELECT, saves=("input",))
_activation("hardshrink", COMPARE, SELECT, saves=("input",))
_activation("relu6", Work(comparisons=2), Work(comparisons=2), saves=("input",))
_activation("hardtanh", Work(comparisons=2), Work(comparisons=2), saves=("input",))

_LEAK = Work(comparisons=1, arithmetic=1)
LEAKY_RELU = _activation("leaky_relu", _LEAK, _LEAK, saves=("input",))
for _name in ("rrelu", "rrelu_with_noise"):
    elementwise(_name, _LEAK, family=FAMILY, gradient=_LEAK, saves=("input", "noise"))
elementwise("softshrink", Work(comparisons=2, arithmetic=1), family=FAMILY, gradient=SELECT, saves=("input",))


def read_elu(given: dict[str, Any]) -> Call:
    """Tell which of three activations an aten ``elu`` is: SELU scales the output, CELU divides the input.

    Torch runs ``selu`` as an ``elu`` with two factors, and some versions of it ``celu``, too.
    """
    tensor, scale, input_scale = given["self"], given["scale"], given["input_scale"]
    name = "selu" if scale != 1 else "celu" if input_scale != 1 else "elu"
    return Call(name, (tensor,), tuple(tensor.shape))


# The negative side is a·(e^x - 1). Its gradient there is y'·(y + a), y'·(y/a + 1) for CELU, and y'·(y + λa)
# for SELU; on the positive side y', or λ·y' for SELU.
ELU = _activation(
    "elu",
    Work(comparisons=1, arithmetic=2, transcendental=1),
    Work(comparisons=1, arithmetic=2),
    saves=("input",),
    aten=read_elu,
)
CELU = _activation(
    "celu",
    Work(comparisons=1, arithmetic=3, transcendental=1),
    Work(comparisons=1, arithmetic=3),
    saves=("input",),
)
SELU = _activation(
    "selu",
    Work(comparisons=1, arithmetic=3, transcendental=1),
    Work(comparisons=1, arithmetic=2),
    saves=("input",),
)

# 1 / (1 + e^-x). Gradient: y'·y·(1-y).
SIGMOID = _activation(
    "sigmoid",
    Work(arithmetic=3, transcendental=1),
    Work(arithmetic=3),
    saves=("output",),
    floating=True,
    # Negated 2, exponential 2 and 3, plus one 2, reciprocal 6.
    on_complex=Work(arithmetic=12, transcendental=3),
    # A difference with one, and two products.
    complex_gradient=Work(arithmetic=2 + 6 + 6),
)
# Gradient: y'·(1 - y²).
TANH = _activation(
    "tanh",
    EVALUATE,
    Work(arithmetic=3),
    saves=("output",),
    floating=True,
    # (e²ᶻ - 1) / (e²ᶻ + 1): doubled 2, exponential 2 and 3, two sums 4, quotient 11.
    on_complex=Work(arithmetic=19, transcendental=3),
    complex_gradient=Work(arithmetic=6 + 2 + 6),
)
# The logarithm of a sigmoid. Gradient: y'·σ(-x), the sigmoid computed again.
LOGSIGMOID = elementwise(
    "logsigmoid",
    Work(arithmetic=3, transcendental=2),
    family=FAMILY,
    gradient=Work(arithmetic=5, transcendental=1),
    bindings=bind_function("logsigmoid"),
    aten={"log_sigmoid_forward": SELF},
    saves=("input",),
)
# Gradient: y'·σ·(1 + x·(1-σ)), the sigmoid computed again.
SILU = _activation(
    "silu",
    Work(arithmetic=4, transcendental=1),
    Work(arithmetic=8, transcendental=1),
    saves=("input",),
    # A sigmoid, and a product 6.
    on_complex=Work(arithmetic=18, transcendental=3),
)
HARDSIGMOID = _activation(
    "hardsigmoid", Work(comparisons=2, arithmetic=2), Work(comparisons=2, arithmetic=1), saves=("input",)
)
# Gradient: y'·(x/3 + 1/2).
HARDSWISH = _activation(
    "hardswish", Work(comparisons=2, arithmetic=3), Work(comparisons=2, arithmetic=3), saves=("input",)
)
# The logarithm of 1 + e^x; beyond a threshold x itself.
SOFTPLUS = _activation(
    "softplus",
    Work(comparisons=1, arithmetic=1, transcendental=2),
    Work(comparisons=1, arithmetic=4, transcendental=1),
    saves=("input",),
)
# Gradient: y'/(1 + |x|)². Torch itself writes softsign as x / (1 + |x|), which is the same work forward. But
# where only these ops are seen (scripted, exported, by make_fx), each has a gradient of its own: 6 arithmetic
# in all.
SOFTSIGN = elementwise(
    "softsign",
    Work(comparisons=1, arithmetic=2),
    family=FAMILY,
    gradient=Work(comparisons=1, arithmetic=3),
    bindings=bind_function("softsign", floating=True),
)
# x times the hyperbolic tangent t of softplus(x). Gradient: y'·(t + x·σ·(1-t²)), both computed again.
MISH = _activation(
    "mish",
    Work(comparisons=1, arithmetic=2, transcendental=3),
    Work(arithmetic=10, transcendental=4),
    saves=("input",),
)


def infer_gelu(input: TensorLike, *, approximate: str = "none") -> Call:
    """Compute GELU, by the error function or by its tanh approximation, which are different work."""
    return Call("gelu_tanh" if approximate == "tanh" else "gelu", (input,), tuple(input.shape))


# Half of x, times 1 + erf(x/√2). Gradient: y'·(Φ(x) + x·φ(x)). To compute Φ again takes 3 and erf, φ takes 3
# and exp, and joining them 3.
GELU = elementwise(
    "gelu",
    Work(arithmetic=4, transcendental=1),
    family=FAMILY,
    gradient=Work(arithmetic=9, transcendental=2),
    bindings=(binding(infer_gelu, "nn.functional.gelu", repeated=True),),
    aten={"gelu": SELF},
    saves=("input",),
)
# Half of x, times 1 + tanh(√(2/π)·(x + 0.044715·x³)). In the gradient, computing the tanh t again takes 5 and
# a tanh, (1+t)/2 takes 2, 1-t² 2, the gradient of the inner function 3, and joining them 5.
GELU_TANH = elementwise(
    "gelu_tanh",
    Work(arithmetic=8, transcendental=1),
    family=FAMILY,
    gradient=Work(arithmetic=17, transcendental=1),
    saves=("input",),
)


def infer_prelu(input: TensorLike, weight: TensorLike) -> Call:
    """Compute a leaky ReLU with a learned slope, which is an input."""
    return Call("prelu", (input, weight), tuple(input.shape))


def learned_slope_gradient(record: OpRecord, operand: int) -> Work:
    """Per element a comparison and a multiplication; those of the slope are added up."""
    points = prod(record.output_shape)
    return Work(comparisons=points, arithmetic=points + count_added_up(record, operand))


PRELU = elementwise(
    "prelu",
    _LEAK,
    family=FAMILY,
    gradient=each_gradient(learned_slope_gradient),
    bindings=(binding(infer_prelu, "*.prelu"),),
    aten={"_prelu_kernel": SELF},
    saves=("input", "weight"),
)


def infer_glu(input: TensorLike, dim: int = -1) -> Call:
    """Gate half of a tensor by the sigmoid of the other half."""
    shape = list(input.shape)
    shape[dim] //= 2
    return Call("glu", (input,), tuple(shape))


def gated_linear_unit(record: OpRecord) -> Work:
    """Per output element: a sigmoid and a multiplication."""
    points = prod(record.output_shape)
    return Work(arithmetic=4 * points, transcendental=points)


def gated_linear_unit_gradient(record: OpRecord, operand: int) -> Work:
    """Per output element 7 arithmetic and an exponential: the gate again 3, y'·σ 1, and 3 to y'·a·σ·(1-σ)."""
    del operand
    points = prod(record.output_shape)
    return Work(arithmetic=7 * points, transcendental=points)


GLU = op(
    "glu",
    family=FAMILY,
    bindings=binding(infer_glu, "nn.functional.glu"),
    aten={"glu": SELF},
    work=gated_linear_unit,
    gradient=each_gradient(gated_linear_unit_gradient),
    saves=("input",),
)
