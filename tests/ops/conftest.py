"""The styles that a model can be called in, and what each of them costs.

A case is a function or a module and its operands: a shape is a tensor that needs a gradient, a tensor is given
as it is. What every style of it costs has one right answer, which is what the model costs as it stands.
"""

import importlib
import warnings
from functools import partial

import pytest
import torch
from packaging.version import Version
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_leaves

import resflops
from resflops.cost import price
from resflops.cost.convention import find_convention
from resflops.records import OpRecord
from resflops.tracing.recorder import Recorder

CONVENTIONS = ("macs", "formula", "flops")


class Call(nn.Module):
    """A function of an input and of parameters, whose first operand needs a gradient where it can have one."""

    def __init__(self, function, first, operands):
        super().__init__()
        self.function = function
        self.scale = nn.Parameter(torch.ones(first.shape)) if first.is_floating_point() else None
        self.weights = nn.ParameterList([torch.full(each, 0.5) for each in operands])

    def forward(self, x, *more):
        return self.function(x if self.scale is None else x * self.scale, *more, *self.weights)


def build(function, first, *operands):
    """The model of a case, and its inputs."""
    inputs = [first if isinstance(first, torch.Tensor) else torch.full(first, 0.5)]
    inputs += [each for each in operands if isinstance(each, torch.Tensor)]
    shapes = [each for each in operands if not isinstance(each, torch.Tensor)]
    return Call(function, inputs[0], shapes).eval(), tuple(inputs)


def script(model, inputs):
    """Record with ``torch.jit``, whose scripts run the same aten ops as what it compiles from source."""
    return torch.jit.trace(model, inputs, check_trace=False)


def export(model, inputs):
    return torch.export.export(model, inputs).module()


def functionalise(model, inputs):
    """The graph of aten ops, whose parameters are the model's; what else it holds is constant."""
    # With gradients on, it would leave every detach out, and torch take a norm and others apart differently.
    with torch.no_grad():
        graph = make_fx(model, tracing_mode="fake", _allow_non_fake_inputs=True)(*inputs)
    own = {parameter.data_ptr() for parameter in model.parameters()}
    for name, tensor in {**vars(graph), **dict(graph.named_buffers())}.items():
        if isinstance(tensor, torch.Tensor) and tensor.data_ptr() in own:
            delattr(graph, name)
            setattr(graph, name, nn.Parameter(tensor.detach()))
    return graph


def convert_and_trace(make, model, inputs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = make(model, inputs)
    # Torch would optimise a script at its first call, and run ops on its constants for that.
    with torch.jit.optimized_execution(False):
        return resflops.trace(made, *inputs)


def build_undescribed(*args, **settings):
    """A recorder that has no function described, whatever else it is asked for."""
    return Recorder(*args, **{**settings, "described": False})


def trace_aten_ops(model, inputs):
    """The aten ops that a model runs, no torch function being described."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("resflops.tracing.trace"), "Recorder", build_undescribed)
        return resflops.trace(model, *inputs)


STYLES = {
    "real": lambda model, inputs: resflops.trace(model, *inputs, real=True),
    "scripted": partial(convert_and_trace, script),
    "exported": partial(convert_and_trace, export),
    "make_fx": partial(convert_and_trace, functionalise),
    "fallback": trace_aten_ops,
}


AS_TORCH_TAKES_APART = ("exported", "make_fx")
"""Styles in which torch decides what functions turn into, which changes from version to version."""

SETTLED = Version("2.14")
"""The tables of these tests say what this torch and later ones turn them into."""


@pytest.fixture(params=STYLES)
def style(request):
    """A style other than plain eager code on shapes."""
    if request.param in AS_TORCH_TAKES_APART and Version(torch.__version__) < SETTLED:
        pytest.skip(f"torch before {SETTLED} takes functions apart in other ways")
    return request.param


@pytest.fixture
def trace_style():
    """From a style and a case, the trace."""

    def trace(style, function, first, *operands):
        model, inputs = build(function, first, *operands)
        return resflops.trace(model, *inputs) if style == "eager" else STYLES[style](model, inputs)

    return trace


@pytest.fixture
def price_style(trace_style):
    """From a style and a case, its total under each convention, and what its backward pass takes."""

    def price_case(style, *case):
        trace = trace_style(style, *case)
        costs = {name: price(trace, find_convention(name), backward=name != "formula")
                 for name in CONVENTIONS}  # fmt: skip
        assert all(cost.complete for cost in costs.values())
        totals = {name: cost.total for name, cost in costs.items()}
        in_macs, in_flops = costs["macs"].backward, costs["flops"].backward
        totals["macs backward"] = in_macs.input_total, in_macs.weight_total
        works = in_flops.input_work, in_flops.weight_work
        totals["flops backward"] = in_flops.input_total, in_flops.weight_total, works
        return {**totals, "without a gradient": [op.op for op in in_flops.uncounted]}

    return price_case


@pytest.fixture
def compare_style(price_style):
    """From a style and a case, which of its figures differ from those of the eager model."""

    def compare(style, *case):
        eager, other = price_style("eager", *case), price_style(style, *case)
        return {name for name, figure in eager.items() if other[name] != figure}

    return compare


@pytest.fixture
def record():
    """An op as the tracer records it."""

    def make(op, inputs, *outputs, **attributes):
        return OpRecord(
            op=op, layer="there", input_shapes=tuple(inputs), output_shapes=outputs, attributes=attributes
        )

    return make


@pytest.fixture
def agree_on_outputs():
    """From a function and its operands, whether a trace on shapes gives what torch gives, type by type."""

    def agree(function, *operands):
        told = []
        model = nn.Module()

        def forward(*tensors):
            out = function(*tensors)
            told.append([(tuple(each.shape), each.dtype) for each in tree_leaves(out)])
            return out

        forward(*(each.clone() for each in operands))
        model.forward = forward
        execution = resflops.trace(model, *operands).execution
        return execution == "meta" and told[0] == told[1]

    return agree
