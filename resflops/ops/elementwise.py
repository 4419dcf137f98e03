"""Functions of one tensor, element by element: powers, logarithms, angles, rounding, questions, quantisation.

``y'`` in the comments is the gradient that arrives. Each count is that of the formula beside it,
which uses the op's output where that makes it shorter.

On complex numbers ``z = a + bi``: ``|z|`` is 3 operations and a root; ``1/z`` 6 (``z̄`` over ``a² + b²``);
``eᶻ = eᵃ·(cos b + i·sin b)`` 2 and 3 transcendental; ``ln z = ln(a² + b²)/2 + i·atan2(b, a)`` 4 and 2;
``√z`` has the roots of ``(|z| ± a)/2`` for parts, 7 with those of ``|z|``, 3 roots and the sign;
``sin z = sin a·cosh b + i·cos a·sinh b`` 2 and 4, and its relatives likewise;
``tan z = (sin 2a + i·sinh 2b)/(cos 2a + cosh 2b)`` 5 and 4.
The inverses are logarithms: ``asin z = -i·ln(iz + √(1 - z²))`` 23, a comparison and 5 (a product with
``i`` swaps the parts and negates one), ``acos z = π/2 - asin z`` 2 more;
``atan z = i/2·(ln(1 - iz) - ln(1 + iz))`` 17 and 4; ``asinh z = ln(z + √(z² + 1))`` 21, a comparison and 5;
``acosh z = ln(z + √(z + 1)·√(z - 1))`` 30, 2 comparisons and 8;
``atanh z = (ln(1 + z) - ln(1 - z))/2`` 16 and 4.
Their gradients are those of real numbers, with complex operations.
"""

from collections.abc import Callable

from resflops.ops._call import Call, TensorLike, name_dtype
from resflops.ops._declaration import ANSWERS, WHOLE_NUMBERS, Op, binding, stopped_gradient
from resflops.ops._elementwise import (
    ADD,
    COMPARE,
    EVALUATE,
    MULTIPLY,
    PASS,
    SELECT,
    SELF,
    bind_function,
    elementwise,
)
from resflops.records import Work, add_works

FAMILY = "elementwise"

_ASIN = Work(arithmetic=1 + 6 + 2 + 7 + 2 + 4 + 1, comparisons=1, transcendental=5)
# A complex gradient over the root of 1 and a square, and over that sum itself.
_OVER_ROOT = Work(arithmetic=6 + 2 + 7 + 11, comparisons=1, transcendental=3)
_OVER_SQUARE = Work(arithmetic=6 + 2 + 11)


def _function(
    name: str,
    per_element: Work,
    gradient: Work,
    *more: str,
    saves: tuple[str, ...],
    floating: bool = False,
    magnitude: bool = False,
    on_complex: Work | None = None,
    complex_gradient: Work | None = None,
) -> Op:
    """Declare a function that both torch and its dispatcher call by this name."""
    return elementwise(
        name,
        per_element,
        family=FAMILY,
        on_complex=on_complex,
        gradient=gradient,
        complex_gradient=complex_gradient,
        bindings=bind_function(name, *more, floating=floating, magnitude=magnitude),
        aten={name: SELF},
        saves=saves,
    )


_function(
    "neg",
    ADD,
    MULTIPLY,
    "*.__neg__",
    saves=(),
    on_complex=Work(arithmetic=2),
    complex_gradient=Work(arithmetic=2),
)
_function(
    "abs",
    COMPARE,
    Work(comparisons=1, arithmetic=1),
    "*.__abs__",
    saves=("input",),
    magnitude=True,
    on_complex=Work(arithmetic=3, transcendental=1),
    complex_gradient=Work(arithmetic=4),
)


def infer_square(input: TensorLike) -> Call:
    """Multiply elements by themselves; truth values give long integers, as the power that torch runs does."""
    return Call(
        "square", (input,), tuple(input.shape), {}, "int64" if name_dtype(input.dtype) == "bool" else None
    )


def infer_square_in_place(input: TensorLike) -> Call:
    """Multiply elements by themselves, in place."""
    return Call("square", (input,), tuple(input.shape), in_place=True)


elementwise(
    "square",
    ADD,
    family=FAMILY,
    on_complex=Work(arithmetic=6),
    gradient=Work(arithmetic=2),
    complex_gradient=Work(arithmetic=6 + 2),
    bindings=(
        binding(infer_square, "*.square", repeated=True),
        binding(infer_square_in_place, "*.square_", repeated=True),
    ),
    aten={"square": SELF},
    saves=("input",),
)
# Gradient: -y'·y².
_function(
    "reciprocal",
    ADD,
    Work(arithmetic=3),
    saves=("output",),
    floating=True,
    on_complex=Work(arithmetic=6),
    complex_gradient=Work(arithmetic=6 + 6 + 2),
)
# Steps: the gradient is zero everywhere, and autograd passes it on even so.
for _name in ("floor", "ceil", "round", "trunc"):
    _function(_name, ADD, PASS, saves=())
_function("sign", COMPARE, PASS, saves=())
elementwise(
    "sgn",
    COMPARE,
    family=FAMILY,
    on_complex=Work(arithmetic=5, comparisons=1, transcendental=1),
    gradient=PASS,
    saves=("input", "output"),
)
elementwise("frac", ADD, family=FAMILY, gradient=PASS, saves=())
for _name in ("deg2rad", "rad2deg"):
    elementwise(_name, ADD, family=FAMILY, gradient=MULTIPLY, saves=())
elementwise(
    "conj_physical",
    ADD,
    on_complex=ADD,
    complex_gradient=ADD,
    family=FAMILY,
    gradient=MULTIPLY,
    aten=("_conj_physical",),
    saves=(),
)

# Gradients: y'·y; y'·y·ln 2; y'·(y + 1).
_function(
    "exp",
    EVALUATE,
    MULTIPLY,
    saves=("output",),
    floating=True,
    on_complex=Work(arithmetic=2, transcendental=3),
    complex_gradient=Work(arithmetic=6),
)
elementwise(
    "exp2",
    EVALUATE,
    family=FAMILY,
    # By the logarithm of 2, which is real, first.
    on_complex=Work(arithmetic=4, transcendental=3),
    gradient=Work(arithmetic=2),
    complex_gradient=Work(arithmetic=8),
    saves=("output",),
)
_function(
    "expm1",
    EVALUATE,
    Work(arithmetic=2),
    saves=("output",),
    floating=True,
    on_complex=Work(arithmetic=4, transcendental=3),
    complex_gradient=Work(arithmetic=8),
)
# Gradients: y'/x, over the logarithm of the base, or over 1 + x.
_function(
    "log",
    EVALUATE,
    MULTIPLY,
    saves=("input",),
    floating=True,
    on_complex=Work(arithmetic=4, transcendental=2),
    complex_gradient=Work(arithmetic=11),
)
for _name in ("log2", "log10", "log1p"):
    # Two more than the logarithm: both parts over that of the base, or the number and one.
    _function(
        _name,
        EVALUATE,
        Work(arithmetic=2),
        saves=("input",),
        floating=True,
        on_complex=Work(arithmetic=6, transcendental=2),
        complex_gradient=Work(arithmetic=13),
    )
# Gradients: y'/(2y) and -y'·y³/2.
_function(
    "sqrt",
    EVALUATE,
    Work(arithmetic=2),
    saves=("output",),
    floating=True,
    on_complex=Work(arithmetic=7, comparisons=1, transcendental=3),
    complex_gradient=Work(arithmetic=13),
)
_function(
    "rsqrt",
    EVALUATE,
    Work(arithmetic=4),
    saves=("output",),
    floating=True,
    on_complex=Work(arithmetic=13, comparisons=1, transcendental=3),
    complex_gradient=Work(arithmetic=6 + 6 + 6 + 2),
)

_function(
    "sin",
    EVALUATE,
    Work(arithmetic=1, transcendental=1),
    saves=("input",),
    floating=True,
    on_complex=Work(arithmetic=2, transcendental=4),
    complex_gradient=Work(arithmetic=9, transcendental=4),
)
_function(
    "cos",
    EVALUATE,
    Work(arithmetic=2, transcendental=1),
    saves=("input",),
    floating=True,
    on_complex=Work(arithmetic=3, transcendental=4),
    complex_gradient=Work(arithmetic=10, transcendental=4),
)
_function(
    "tan",
    EVALUATE,
    Work(arithmetic=3),
    saves=("output",),
    floating=True,
    on_complex=Work(arithmetic=5, transcendental=4),
    complex_gradient=Work(arithmetic=6 + 2 + 6),
)
# Gradients: y'/√(1 - x²), and so on.
_function(
    "asin",
    EVALUATE,
    Work(arithmetic=3, transcendental=1),
    saves=("input",),
    floating=True,
    on_complex=_ASIN,
    complex_gradient=_OVER_ROOT,
)
_function(
    "acos",
    EVALUATE,
    Work(arithmetic=4, transcendental=1),
    saves=("input",),
    floating=True,
    on_complex=add_works([_ASIN, Work(arithmetic=2)]),
    complex_gradient=add_works([_OVER_ROOT, Work(arithmetic=2)]),
)
_function(
    "atan",
    EVALUATE,
    Work(arithmetic=3),
    saves=("input",),
    floating=True,
    on_complex=Work(arithmetic=1 + 2 + 2 + 8 + 2 + 2, transcendental=4),
    complex_gradient=_OVER_SQUARE,
)
_function(
    "sinh",
    EVALUATE,
    Work(arithmetic=1, transcendental=1),
    saves=("input",),
    floating=True,
    on_complex=Work(arithmetic=2, transcendental=4),
    complex_gradient=Work(arithmetic=8, transcendental=4),
)
_function(
    "cosh",
    EVALUATE,
    Work(arithmetic=1, transcendental=1),
    saves=("input",),
    floating=True,
    on_complex=Work(arithmetic=2, transcendental=4),
    complex_gradient=Work(arithmetic=8, transcendental=4),
)
for _name, _on_complex in (
    ("asinh", Work(arithmetic=6 + 2 + 7 + 2 + 4, comparisons=1, transcendental=5)),
    ("acosh", Work(arithmetic=2 + 2 + 14 + 6 + 2 + 4, comparisons=2, transcendental=8)),
):
    elementwise(
        _name,
        EVALUATE,
        family=FAMILY,
        on_complex=_on_complex,
        gradient=Work(arithmetic=3, transcendental=1),
        complex_gradient=_OVER_ROOT,
        saves=("input",),
    )
elementwise(
    "atanh",
    EVALUATE,
    family=FAMILY,
    on_complex=Work(arithmetic=2 + 2 + 8 + 2 + 2, transcendental=4),
    gradient=Work(arithmetic=3),
    complex_gradient=_OVER_SQUARE,
    saves=("input",),
)
# Gradients: y'·c·e^(-x²) and y'·c·e^(y²).
_function("erf", EVALUATE, Work(arithmetic=4, transcendental=1), saves=("input",), floating=True)
_function("erfc", EVALUATE, Work(arithmetic=4, transcendental=1), saves=("input",), floating=True)
elementwise(
    "erfinv", EVALUATE, family=FAMILY, gradient=Work(arithmetic=3, transcendental=1), saves=("input",)
)
# The logarithm of x / (1 - x). Gradient: y'·(1/x + 1/(1-x)).
elementwise(
    "logit",
    Work(arithmetic=2, transcendental=1),
    family=FAMILY,
    gradient=Work(arithmetic=4),
    saves=("input",),
)
# The sine of πx over πx.
elementwise("sinc", Work(arithmetic=2, transcendental=1), family=FAMILY, saves=("input",))
# The angle of a complex number is an arc tangent of two arguments. Gradient: y'·i·z over its square.
elementwise("angle", EVALUATE, family=FAMILY, on_complex=EVALUATE, saves=("input",))
for _name in ("lgamma", "digamma", "polygamma", "mvlgamma", "i0"):
    elementwise(_name, EVALUATE, family=FAMILY, saves=("input",))
# Functions by their names in torch.special, each of them evaluated once; the polynomials of a degree, too.
for _name in (
    "airy_ai", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "spherical_bessel_j0", "zeta",
    *(f"{kind}_polynomial_{variant}" for kind, variants in (
        ("chebyshev", "tuvw"), ("shifted_chebyshev", "tuvw"), ("laguerre", "l"), ("legendre", "p"),
        ("hermite", ("h", "he")),
    ) for variant in variants),
):  # fmt: skip
    elementwise(f"special_{_name}", EVALUATE, family=FAMILY, saves=())
# Torch has gradients of these from 2.15 on.
for _name in ("bessel_y0", "modified_bessel_i0", "modified_bessel_k0"):
    elementwise(f"special_{_name}", EVALUATE, family=FAMILY, saves=("input",))
for _name in ("bessel_j1", "bessel_y1", "modified_bessel_i1", "modified_bessel_k1"):
    elementwise(f"special_{_name}", EVALUATE, family=FAMILY, saves=("input", "output"))
# Minus x times its logarithm. Gradient: -y'·(ln x + 1).
elementwise(
    "special_entr",
    Work(arithmetic=2, transcendental=1),
    family=FAMILY,
    gradient=Work(arithmetic=3, transcendental=1),
    saves=("input",),
)
# The exponent is split off the bits. Gradient: y' over a power of two.
elementwise("frexp", ADD, family=FAMILY, gradient=MULTIPLY, saves=("exponent",))
for _name in ("special_i0e", "special_i1", "special_i1e", "special_erfcx", "special_log_ndtr"):
    elementwise(_name, EVALUATE, family=FAMILY, saves=("input", "output"))
elementwise("special_ndtri", EVALUATE, family=FAMILY, saves=("output",))

# One comparison for not-a-number, and one for each of the two infinities.
elementwise("nan_to_num", Work(comparisons=3), family=FAMILY, gradient=SELECT, saves=("input",))


def _infer_test(op: str) -> Callable[..., Call]:
    def infer(input: TensorLike) -> Call:
        return Call(op, (input,), tuple(input.shape), {}, "bool")

    return infer


# Torch writes isfinite as two comparisons, an absolute value and a product, and isnan as a comparison of the
# tensor with itself. Where only these are seen (scripted, by make_fx), isfinite costs 4.
for _name in ("isnan", "isinf", "isfinite", "signbit"):
    elementwise(
        _name,
        COMPARE,
        family=FAMILY,
        on_complex=Work(comparisons=2),
        gradient=stopped_gradient(ANSWERS),
        bindings=(binding(_infer_test(_name), f"*.{_name}"),),
        aten={_name: SELF},
        saves=(),
    )
for _name in ("isposinf", "isneginf"):
    elementwise(_name, COMPARE, family=FAMILY, gradient=stopped_gradient(ANSWERS), saves=())

# Divide by the scale, add the zero point, round, and limit to the range on both sides; and back.
for _name in ("quantize_per_tensor", "quantize_per_channel"):
    elementwise(
        _name,
        Work(arithmetic=3, comparisons=2),
        family=FAMILY,
        gradient=stopped_gradient(WHOLE_NUMBERS),
        saves=(),
    )
elementwise("dequantize", Work(arithmetic=2), family=FAMILY, gradient=MULTIPLY, saves=())
