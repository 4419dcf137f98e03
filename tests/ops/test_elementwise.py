"""Activations, arithmetic, functions of one tensor and dropout cost the same however they are called."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

import resflops
from resflops.cost import cost_of
from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import OpRecord, Trace, Work
from resflops.tracing.modules import Modules
from resflops.tracing.recorder import Recorder

FAMILIES = ("activation", "arithmetic", "comparison", "elementwise", "dropout")
CONVENTIONS = ("macs", "formula", "flops")


class Call(nn.Module):
    """A function of parameters, so that every operand needs a gradient."""

    def __init__(self, function, *shapes):
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.ones(SHAPE))
        self.operands = nn.ParameterList([torch.full(shape, 0.5) for shape in shapes])

    def forward(self, x):
        return self.function(x * self.scale, *self.operands)


ONE = {
    **{
        name: getattr(F, name)
        for name in (
            "relu", "relu6", "hardtanh", "leaky_relu", "elu", "celu", "selu", "sigmoid", "logsigmoid", "silu",
            "hardsigmoid", "hardswish", "softplus", "softsign", "mish", "hardshrink", "softshrink", "tanh",
            "gelu", "glu", "rrelu",
        )
    },
    "celu of two": lambda x: F.celu(x, 2.0),
    "elu of two": lambda x: F.elu(x, 2.0),
    "in-place selu": lambda x: F.selu(x + 1, inplace=True),
    "threshold": lambda x: F.threshold(x, 0.1, 2.0),
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "rrelu in training": lambda x: F.rrelu(x, training=True),
    **{
        name: getattr(torch, name)
        for name in (
            "neg", "abs", "square", "reciprocal", "floor", "ceil", "round", "trunc", "sign", "sgn", "frac",
            "deg2rad", "rad2deg", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt",
            "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erf",
            "erfc", "erfinv", "logit", "nan_to_num", "isnan", "isinf", "isfinite", "signbit", "isposinf",
            "isneginf", "logical_not",
        )
    },
    "add a number": lambda x: x + 2,
    "subtract a number": lambda x: x - 2,
    "subtract from a number": lambda x: 2 - x,
    "multiply by a number": lambda x: x * 2,
    "divide by a number": lambda x: x / 2,
    "divide a number": lambda x: 2 / x,
    "square by operator": lambda x: x**2,
    "cube": lambda x: torch.pow(x, 3),
    "fourth power": lambda x: x.pow(4.0),
    "power": lambda x: x**2.5,
    "power of a number": lambda x: 2**x,
    "power of a number by function": lambda x: torch.pow(2, x),
    "remainder": lambda x: x % 2,
    "floor_divide": lambda x: x // 2,
    "fmod": lambda x: torch.fmod(x, 2),
    "compare": lambda x: x > 2,
    "clamp": lambda x: x.clamp(0, 1),
    "clamp below": lambda x: x.clamp(min=0),
    "clamp above": lambda x: torch.clip(x, max=0),
    "clamp_min": lambda x: x.clamp_min(0),
    "bits": lambda x: ~(x > 0) & (x < 1) | (x == 0.5) ^ (x >= 1),
    "bits of whole numbers": lambda x: ~x.to(torch.int32),
    "logic": lambda x: torch.logical_or(torch.logical_and(x, x), torch.logical_xor(x, x)),
    **{
        f"{name} in eval mode": partial(getattr(F, name), p=0.5, training=False)
        for name in ("dropout", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
    },
    **{
        name: partial(getattr(F, name), p=0.5, training=True)
        for name in ("dropout", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
    },
    "dropout1d": lambda x: F.dropout1d(x.flatten(2), 0.5, training=True),
    "dropout1d in eval mode": lambda x: F.dropout1d(x.flatten(2), 0.5, training=False),
    "dropout at rate zero": lambda x: F.dropout(x, 0.0, training=True),
}  # fmt: skip
SHAPE = (2, 4, 6, 6)
TWO = {
    **{
        name: getattr(torch, name)
        for name in (
            "add", "sub", "mul", "div", "remainder", "fmod", "pow", "atan2", "hypot", "logaddexp",
            "logaddexp2", "maximum", "minimum", "fmax", "fmin", "copysign", "heaviside", "nextafter", "eq",
            "ne", "lt", "le", "gt", "ge",
        )
    },
    "rsub": torch.rsub,
    "add in place": lambda x, y: (x * 1).add_(y),
    "subtract in place": lambda x, y: (x * 1).sub_(y),
    "clamp by a tensor": lambda x, y: torch.clamp(x, y),
    "clamp by a tensor above": lambda x, y: torch.clamp(x, max=y),
    "clamp by two tensors": lambda x, y: torch.clamp(x, y, y + 1),
    "addcmul": lambda x, y: torch.addcmul(x, x, y),
    "addcdiv": lambda x, y: torch.addcdiv(x, x, y),
    "lerp": lambda x, y: torch.lerp(x, y, 0.5),
    "lerp by a tensor": lambda x, y: torch.lerp(x, y, y),
    "outer": lambda x, y: torch.outer(x.flatten(), y.flatten()),
    "xlogy": torch.xlogy,
}  # fmt: skip
OPERANDS = {"of one shape": SHAPE, "broadcast": (6,)}
CASES = {
    **{name: (function,) for name, function in ONE.items()},
    **{
        f"{name} {kind}": (function, shape)
        for name, function in TWO.items()
        for kind, shape in OPERANDS.items()
    },
    "prelu": (F.prelu, (4,)),
    "prelu of one slope": (F.prelu, (1,)),
}

APART = {
    "softsign": ["abs", "add", "div"],
    "isfinite": ["abs", "eq", "mul", "ne"],
    "divide a number": ["mul", "reciprocal"],
    **{name: ["div", "mul"] for name in ("dropout1d", "dropout2d", "dropout3d")},
    **{name: [*["add"] * 3, *["mul"] * 3] for name in ("alpha_dropout", "feature_alpha_dropout")},
}
"""What torch writes as several ops before its dispatcher sees it. Their parts are what is counted there, which is
other work in these cases: a gradient for each part, a comparison made of several, a mask that is scaled once a
channel. An exported program has a dropout whole."""


def eager(model, x):
    return resflops.trace(model, x)


def fallback(model, x):
    modules = Modules(model)
    recorder = Recorder(modules, described=False)
    x = x.to("meta")
    recorder.take_inputs([x])
    with torch.no_grad(), recorder:
        out = model(x)
    return Trace(
        model="", inputs=(), modules=modules.records, ops=tuple(recorder.ops), tells_parameters=True,
        outputs=recorder.made_by([out]),
    )  # fmt: skip


def scripted(model, x):
    script = torch.jit.trace(model, x, check_trace=False)
    # Torch would optimise the script at its first call, and run ops on its constants for that.
    with torch.jit.optimized_execution(False):
        return resflops.trace(script, x)


def exported(model, x):
    return resflops.trace(torch.export.export(model, (x,)).module(), x)


def taken_apart(model, x):
    return resflops.trace(make_fx(model)(x), x)


STYLES = {style.__name__: style for style in (fallback, scripted, exported, taken_apart)}


def figures(trace):
    """What a trace costs under each convention, and its backward pass kind by kind."""
    costs = {name: cost_of(trace, convention_name=name) for name in CONVENTIONS}
    backward = cost_of(trace, convention_name="flops", backward=True).backward
    assert costs["flops"].uncounted == ()
    unknown = [op.op for op in backward.uncounted]
    return {
        **{name: cost.total for name, cost in costs.items()},
        "backward": backward.work,
        "unknown": unknown,
    }


def run(style, function, *shapes):
    return style(Call(function, *shapes), torch.full(SHAPE, 0.5))


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("name", CASES)
def test_an_op_costs_the_same_in_every_calling_style(name):
    styles = {
        style: make
        for style, make in STYLES.items()
        if name not in APART or (style == "exported" and "dropout" in name)
    }
    want = figures(run(eager, *CASES[name]))
    assert {style: figures(run(make, *CASES[name])) for style, make in styles.items()} == dict.fromkeys(
        styles, want
    )


@pytest.mark.parametrize("name", APART)
def test_what_torch_takes_apart_is_counted_by_its_parts(name):
    records = run(taken_apart, *CASES[name]).ops
    scale, *ops = [record.op for record in records if not OPS[record.op].free]
    assert scale == "mul"
    assert sorted(ops) == APART[name]
    assert figures(run(taken_apart, *CASES[name])) != figures(run(eager, *CASES[name]))


CREATED = {
    "empty_like",
    "new_empty",
    "empty",
    "flatten",
    "view",
    "reshape",
    "ones_like",
    "full_like",
    "_to_copy",
    "to",
}


def test_every_op_with_a_function_of_torch_is_among_the_cases():
    traced = {
        record.op for name in CASES for style in (eager, fallback) for record in run(style, *CASES[name]).ops
    }
    bound = {name for name, known in OPS.items() if known.family in FAMILIES and known.bindings}
    assert bound - traced == set()


def record(op, shapes, output, **attributes):
    return OpRecord(
        op=op, layer="", input_shapes=tuple(shapes), output_shapes=(output,), attributes=attributes
    )


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        *[
            (name, {})
            for name in (
                "dropout",
                "dropout1d",
                "dropout2d",
                "dropout3d",
                "alpha_dropout",
                "feature_alpha_dropout",
            )
        ],
        ("dropout", {"p": 0.5}),
        ("clamp", {}),
        ("clamp", {"min": 0}),
        ("clamp", {"max": None}),
    ],
)
def test_a_missing_attribute_is_an_error(op, attributes):
    given = record(op, [SHAPE], SHAPE, **attributes)
    with pytest.raises(MissingAttributeError, match=f"op '{op}'"):
        OPS[op].work(given)
    with pytest.raises(MissingAttributeError, match=f"op '{op}'"):
        OPS[op].gradient.work(given, (0,))


def test_a_limit_that_is_a_tensor_is_among_the_inputs():
    assert OPS["clamp"].work(record("clamp", [(5,), (5,)], (5,), max=None)) == Work(comparisons=5)
    assert OPS["clamp"].work(record("clamp", [(5,), (5,), (5,)], (5,))) == Work(comparisons=10)


@pytest.mark.parametrize(
    ("module", "flops"), [(nn.SELU(), 2880), (nn.CELU(), 2880), (nn.CELU(2.0), 2880), (nn.ELU(), 2304)]
)
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
def test_scaled_elus_are_told_apart_when_scripted(module, flops):
    for each in (module, torch.jit.script(module)):
        assert resflops.count(each, (2, 8, 6, 6), convention="flops").total == flops


def test_the_gradient_of_a_tensor_taken_from_a_number_is_negated():
    for function in (lambda x: 1 - x, lambda x: torch.rsub(x, 1), lambda x: torch.sub(1, x)):
        (sub,) = [each for each in run(eager, function).ops if each.op == "sub"]
        assert OPS["sub"].gradient.work(sub, (0,)) == (Work(arithmetic=288),)
    (sub,) = [each for each in run(eager, lambda x: x - 1).ops if each.op == "sub"]
    assert OPS["sub"].gradient.work(sub, (0,)) == (Work(),)


def test_a_tensor_of_weights_has_a_gradient_in_an_interpolation():
    (lerp,) = [each for each in run(eager, torch.lerp, SHAPE, SHAPE).ops if each.op == "lerp"]
    assert OPS["lerp"].gradient.work(lerp, (0, 1, 2)) == (
        Work(arithmetic=2 * 288), Work(arithmetic=288), Work(arithmetic=2 * 288),
    )  # fmt: skip


@pytest.mark.parametrize(
    "function",
    [
        torch.logical_not,
        torch.bitwise_not,
        lambda x: x / x,
        lambda x: x + 1.5,
        lambda x: 2**x,
        lambda x: x**0.5,
        lambda x: 7 - x,
        torch.exp,
    ],
)
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32, torch.float64, torch.complex64])
def test_results_have_the_type_that_torch_gives_them(function, dtype):
    x = torch.ones(2, 3).to(dtype)
    try:
        want = function(x).dtype
    except (RuntimeError, NotImplementedError):
        pytest.skip("torch has no such function of this type")

    class Applied(nn.Module):
        def forward(self, x):
            y = function(x)
            assert y.dtype == want
            return y

    resflops.trace(Applied(), x)
