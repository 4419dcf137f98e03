"""Layers that torch's two exporters write as one operator, or as several that cost the same."""

import io
import warnings

import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops
from resflops.ops import OPS
from resflops.sources.onnx_files import Given, read_trace
from tests.sources.onnx_files.operators.nodes import Call, Of, count_work

ROWS, IMAGE, LINE, VOLUME = (3, 10), (2, 4, 8, 8), (2, 4, 9), (1, 2, 4, 4, 4)
PLACES = Of("int64", 3, 10)

LAYERS = {
    "add": (lambda x: x + 2.0, ROWS),
    "argmax": (lambda x: x.argmax(1), ROWS),
    "average": (nn.AvgPool2d(3, 2, 1), IMAGE),
    "average_of_all": (nn.AdaptiveAvgPool2d(1), IMAGE),
    "batch_norm": (nn.BatchNorm2d(4), IMAGE),
    "broadcast": (torch.mul, ROWS, (10,)),
    "cast": (lambda x: x.half(), ROWS),
    "clamp": (lambda x: x.clamp(0, 1), ROWS),
    "compare": (lambda x: x > 0.5, ROWS),
    "convolution": (nn.Conv2d(4, 6, 3, padding=1), IMAGE),
    "cumsum": (lambda x: x.cumsum(1), ROWS),
    "divide_number": (lambda x, y: y / (x - 1.0), ROWS, ROWS),
    "elu": (nn.ELU(), ROWS),
    "embedding": (nn.Embedding(12, 5), PLACES),
    "expand": (lambda x, y: x.expand(3, 10) + y, (1, 10), ROWS),
    "gather": (lambda x, at: x.gather(1, at), ROWS, PLACES),
    "gelu": (nn.GELU(), ROWS),
    "gelu_tanh": (nn.GELU(approximate="tanh"), ROWS),
    "grid": (lambda x, at: F.grid_sample(x, at, align_corners=False), IMAGE, (2, 5, 5, 2)),
    "hardswish": (nn.Hardswish(), ROWS),
    "index_select": (lambda x, at: x.index_select(1, at), ROWS, Of("int64", 3)),
    "instance_norm": (nn.InstanceNorm2d(4), IMAGE),
    "instance_norm_affine": (nn.InstanceNorm2d(4, affine=True), IMAGE),
    "interpolate": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), IMAGE),
    "interpolate_nearest": (lambda x: F.interpolate(x, size=(5, 7)), IMAGE),
    "largest": (lambda x: x.topk(3)[0], ROWS),
    "layer_norm": (nn.LayerNorm(8), IMAGE),
    "leaky": (nn.LeakyReLU(), ROWS),
    "linear": (nn.Linear(10, 3), ROWS),
    "log_softmax": (lambda x: x.log_softmax(-1), ROWS),
    "logsumexp": (lambda x: x.logsumexp(1), ROWS),
    "masked_fill": (lambda x, mask: x.masked_fill(mask, 0.0), ROWS, Of("bool", 3, 10)),
    "max_pool": (nn.MaxPool2d(3, 2, ceil_mode=True), IMAGE),
    "max_pool_1d": (nn.MaxPool1d(3, 2, 1), LINE),
    "max_pool_3d": (nn.MaxPool3d(2), VOLUME),
    "maximum": (torch.maximum, ROWS, ROWS),
    "mean": (lambda x: x.mean((2, 3), keepdim=True), IMAGE),
    "mish": (nn.Mish(), ROWS),
    "norm": (lambda x: torch.linalg.vector_norm(x, 2, dim=1), ROWS),
    "normalize": (lambda x: F.normalize(x), ROWS),
    "pad": (lambda x: F.pad(x, (1, 2, 1, 1), mode="reflect"), IMAGE),
    "power": (lambda x: x**3, ROWS),
    "prelu": (nn.PReLU(4), IMAGE),
    "relu6": (nn.ReLU6(), ROWS),
    "scatter": (lambda x, at, new: x.scatter(1, at, new), ROWS, PLACES, ROWS),
    "scatter_add": (lambda x, at, new: x.scatter_add(1, at, new), ROWS, PLACES, ROWS),
    "selu": (nn.SELU(), ROWS),
    "shuffle": (nn.PixelShuffle(2), IMAGE),
    "silu": (nn.SiLU(), ROWS),
    "slices": (lambda x: torch.cat(x[:, 1:].split(1, 1)[:2]), IMAGE),
    "softmax": (lambda x: x.softmax(1), IMAGE),
    "square_root": (torch.sqrt, ROWS),
    "views": (lambda x: x.reshape(2, -1).unsqueeze(1).transpose(1, 2).squeeze(2).flatten(), IMAGE),
    "where": (torch.where, Of("bool", 3, 10), ROWS, ROWS),
}  # fmt: skip


class Net(nn.Module):
    """Runs each layer on inputs of its own, so that no exporter finds two nodes to be the same."""

    def __init__(self):
        super().__init__()
        for name, (function, *_) in LAYERS.items():
            self.add_module(name, function if isinstance(function, nn.Module) else Call(function))
        # An exporter keeps one of weights that are equal.
        for number, tensor in enumerate([*self.parameters(), *self.buffers()]):
            tensor.data.fill_(number + 2)

    def forward(self, *tensors):
        left = iter(tensors)
        return tuple(
            getattr(self, name)(*[next(left) for _ in inputs]) for name, (_, *inputs) in LAYERS.items()
        )


def make_inputs():
    for _, *inputs in LAYERS.values():
        for each in inputs:
            yield (
                torch.ones(each.shape, dtype=getattr(torch, each.dtype)) if isinstance(each, Of)
                else torch.ones(each)
            )  # fmt: skip


def by_layer(trace):
    found = {name: [] for name in LAYERS}
    for record in trace.ops:
        # The newer exporter makes a node of its own for pieces of a tensor, which cost nothing.
        found.setdefault(record.layer.partition(".")[0], []).append(record)
    return found


@pytest.fixture(scope="module", params=[False, True], ids=["older", "newer"])
def pair(request):
    """What each layer is in a trace of the module, and in the graph that an exporter writes."""
    net, inputs = Net().eval(), tuple(make_inputs())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if request.param:
            graph = torch.onnx.export(net, inputs, dynamo=True, verbose=False).model_proto
        else:
            file = io.BytesIO()
            torch.onnx.export(net, inputs, file, dynamo=False, opset_version=20)
            graph = onnx.load_model_from_string(file.getvalue())
    return by_layer(resflops.trace(net, *inputs)), by_layer(read_trace(graph, "net.onnx", Given()))


def test_every_layer_costs_what_torch_does(pair):
    own, read = pair
    assert {name: count_work(read[name]) for name in LAYERS} == {
        name: count_work(own[name]) for name in LAYERS
    }


def test_gradients_cost_what_they_do_in_torch_where_the_op_is_one(pair):
    own, read = pair
    for name in LAYERS:
        if len(own[name]) == len(read[name]) == 1 and own[name][0].op == read[name][0].op:
            (mine,), (theirs,) = own[name], read[name]
            gradient = OPS[mine.op].gradient
            operands = tuple(range(len(theirs.input_shapes))) if gradient.takes is None else gradient.takes
            needed = tuple(each for each in sorted(operands) if each < len(theirs.input_shapes))
            assert gradient.work is None or gradient.work(mine, needed) == gradient.work(theirs, needed), name
