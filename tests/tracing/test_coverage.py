"""Every op family in every calling style that applies to it, against multiply-accumulates derived by hand."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

import resflops

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad:UserWarning"),
    pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning"),
    pytest.mark.filterwarnings("ignore:.*nested.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning"),
]

T, B, W, H = 5, 2, 6, 4
TOKENS = torch.zeros(B, 7, dtype=torch.long)


def attention(length, width):
    """Projections in and out, and two products of every query with every key."""
    return B * (4 * length * width**2 + 2 * length**2 * width)


class SelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(W, 2, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x)[0]


MODULES = {
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3), (B, 4, 9), B * 7 * 6 * 4 * 3),
    "Conv2d": (lambda: nn.Conv2d(4, 6, 3, stride=2), (B, 4, 9, 9), B * 16 * 6 * 4 * 9),
    "Conv3d": (lambda: nn.Conv3d(4, 6, 2), (B, 4, 4, 4, 4), B * 27 * 6 * 4 * 8),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2), (B, 4, 9, 9), B * 49 * 6 * 2 * 9),
    "depthwise": (lambda: nn.Conv2d(4, 8, 3, groups=4), (B, 4, 9, 9), B * 49 * 8 * 9),
    "dilated": (lambda: nn.Conv2d(4, 6, 3, dilation=2), (B, 4, 9, 9), B * 25 * 6 * 4 * 9),
    "unbatched": (lambda: nn.Conv2d(4, 6, 3), (4, 9, 9), 49 * 6 * 4 * 9),
    "padded to the same": (lambda: nn.Conv2d(4, 6, 3, padding="same"), (B, 4, 9, 9), B * 81 * 6 * 4 * 9),
    "padded to the same, even": (lambda: nn.Conv1d(4, 6, 4, padding="same"), (B, 4, 9), B * 9 * 6 * 4 * 4),
    "padded around": (lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), (B, 4, 9, 9), B * 81 * 6 * 36),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(4, 6, 3), (B, 4, 9), B * 9 * 4 * 6 * 3),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 6, 3, 2), (B, 4, 9, 9), B * 81 * 4 * 6 * 9),
    "ConvTranspose3d": (lambda: nn.ConvTranspose3d(4, 6, 2), (B, 4, 3, 3, 3), B * 27 * 4 * 6 * 8),
    "Linear": (lambda: nn.Linear(6, 3), (B, 6), B * 18),
    "Linear of a vector": (lambda: nn.Linear(6, 3), (6,), 18),
    "Linear in rank 4": (lambda: nn.Linear(6, 3), (B, 5, 7, 6), B * 35 * 18),
    "attention": (SelfAttention, (B, T, W), attention(T, W)),
    "encoder layer": (lambda: nn.TransformerEncoderLayer(W, 2, 8, batch_first=True), (B, T, W), attention(T, W) + 2 * B * T * W * 8),
    "LSTM": (lambda: nn.LSTM(W, H), (T, B, W), T * B * 4 * H * (W + H)),
    "GRU": (lambda: nn.GRU(W, H, bidirectional=True), (T, B, W), T * B * 2 * 3 * H * (W + H)),
    "RNN": (lambda: nn.RNN(W, H, 2), (T, B, W), T * B * (H * (W + H) + H * 2 * H)),
    "LSTM cell": (lambda: nn.LSTMCell(W, H), (B, W), B * 4 * H * (W + H)),
    "GRU cell": (lambda: nn.GRUCell(W, H), (B, W), B * 3 * H * (W + H)),
    "embedding": (lambda: nn.Embedding(9, 4), TOKENS, 0),
    "bag": (lambda: nn.EmbeddingBag(9, 4, mode="mean"), TOKENS, 0),
    "batch norm": (lambda: nn.BatchNorm2d(4), (B, 4, 5, 5), 0),
    "layer norm": (lambda: nn.LayerNorm(6), (B, 6), 0),
    "group norm": (lambda: nn.GroupNorm(2, 4), (B, 4, 5), 0),
    "pooling": (lambda: nn.MaxPool2d(2), (B, 4, 6, 6), 0),
    "adaptive pooling": (lambda: nn.AdaptiveAvgPool2d(2), (B, 4, 6, 6), 0),
    "interpolation": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (B, 4, 6, 6), 0),
    "softmax": (lambda: nn.Softmax(-1), (B, 6), 0),
    "activation": (lambda: nn.GELU(), (B, 6), 0),
}  # fmt: skip


class Around(nn.Module):
    """Calls a module in its own way."""

    def __init__(self, inner, call):
        super().__init__()
        self.inner, self.call = inner, call

    def forward(self, *inputs):
        return self.call(self.inner, *inputs)


def subclassed(module):
    module = copy.deepcopy(module)
    module.__class__ = type("Own", (type(module),), {})
    return module


def pruned(module):
    prune.random_unstructured(module, "weight", 0.5)
    return module


def hooked(module):
    module.register_forward_hook(lambda module, given, out: out[0] if isinstance(out, tuple) else out * 1)
    return module


STYLES = {
    "as it is": lambda module: module,
    "for training": lambda module: module.train(),
    "inside": lambda module: Around(module, lambda inner, x: inner(x)),
    "by its forward": lambda module: Around(module, lambda inner, x: inner.forward(x)),
    "twice": lambda module: Around(module, lambda inner, x: (inner(x), inner(x))),
    "aliased": lambda module: Around(nn.ModuleDict({"a": module, "b": module}), lambda inner, x: inner["b"](x)),
    "of a subclass": subclassed,
    "checkpointed": lambda module: Around(module, lambda inner, x: checkpoint(inner, x, use_reentrant=False)),
    "compiled": torch.compile,
    "scripted": lambda module: torch.jit.script(nn.Sequential(module)),
    "hooked": hooked,
    "in half precision": lambda module: module.half(),
    "on meta": lambda module: module.to("meta"),
    "pruned": pruned,
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
}  # fmt: skip
OF_ONE_WEIGHT = ("pruned", "weight norm", "spectral norm")
WITH_ONE_WEIGHT = ("Conv", "Linear", "grouped", "depthwise", "dilated", "unbatched", "padded")


def expected(style, module, macs):
    if style == "twice":
        return 2 * macs
    if style == "spectral norm":
        # The norm itself: u·W·v of the weight as a matrix, in eval mode without iterating.
        rows = module.weight.shape[1 if isinstance(module, nn.modules.conv._ConvTransposeNd) else 0]
        return macs + module.weight.numel() + rows
    return macs


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", MODULES)
def test_a_module_costs_the_same_in_every_calling_style(name, style):
    if style in OF_ONE_WEIGHT and not name.startswith(WITH_ONE_WEIGHT):
        pytest.skip("it has no weight by that name")
    make, given, macs = MODULES[name]
    module = make().eval()
    total = expected(style, module, macs)
    shape = given if isinstance(given, torch.Tensor) else torch.zeros(given)
    if style == "in half precision" and shape.is_floating_point():
        shape = shape.half()
    cost = resflops.count(STYLES[style](module), shape)
    assert (cost.macs, cost.uncounted, cost.trace.execution) == (total, (), "meta")


X = (B, 3, 4)
Y = (B, 4, 5)
PRODUCT = B * 3 * 4 * 5
IMAGE, KERNEL = (B, 4, 9, 9), (6, 4, 3, 3)
FUNCTIONS = {
    "matmul, operator": (lambda x, y: x @ y, [X, Y], PRODUCT),
    "matmul, method": (lambda x, y: x.matmul(y), [X, Y], PRODUCT),
    "matmul, torch": (torch.matmul, [X, Y], PRODUCT),
    "matmul, out": (lambda x, y: torch.matmul(x, y, out=torch.empty(B, 3, 5, device=x.device)), [X, Y], PRODUCT),
    "linalg.matmul": (torch.linalg.matmul, [X, Y], PRODUCT),
    "bmm, method": (lambda x, y: x.bmm(y), [X, Y], PRODUCT),
    "bmm, torch": (torch.bmm, [X, Y], PRODUCT),
    "mm, method": (lambda x, y: x.mm(y), [(3, 4), (4, 5)], 60),
    "mm, torch": (torch.mm, [(3, 4), (4, 5)], 60),
    "mv": (lambda x, y: x.mv(y) + torch.mv(x, y), [(3, 4), (4,)], 24),
    "dot": (lambda x, y: x.dot(y) + torch.dot(x, y), [(4,), (4,)], 8),
    "inner": (torch.inner, [(3, 4), (5, 4)], 60),
    "addmm": (lambda b, x, y: torch.addmm(b, x, y) + b.addmm(x, y), [(5,), (3, 4), (4, 5)], 120),
    "addmm in place": (lambda b, x, y: b.addmm_(x, y), [(3, 5), (3, 4), (4, 5)], 60),
    "baddbmm in place": (lambda b, x, y: b.baddbmm_(x, y), [(B, 3, 5), X, Y], PRODUCT),
    "addbmm in place": (lambda b, x, y: b.addbmm_(x, y), [(3, 5), X, Y], PRODUCT),
    "addmv in place": (lambda b, x, y: b.addmv_(x, y), [(3,), (3, 4), (4,)], 12),
    "addr in place": (lambda b, x, y: b.addr_(x, y), [(3, 4), (3,), (4,)], 0),
    "baddbmm": (lambda b, x, y: torch.baddbmm(b, x, y), [(B, 3, 5), X, Y], PRODUCT),
    "einsum": (lambda x, y: torch.einsum("bij,bjk->bik", x, y), [X, Y], PRODUCT),
    "tensordot": (lambda x, y: torch.tensordot(x, y, 1), [(3, 4), (4, 5)], 60),
    "chain": (lambda x, y: torch.linalg.multi_dot([x, y]), [(3, 4), (4, 5)], 60),
    "F.linear": (F.linear, [(3, 4), (5, 4)], 60),
    "F.bilinear": (F.bilinear, [(B, 3), (B, 4), (5, 3, 4)], B * 5 * (12 + 4)),
    "F.conv2d": (F.conv2d, [IMAGE, KERNEL], B * 49 * 6 * 36),
    "torch.conv2d": (torch.conv2d, [IMAGE, KERNEL], B * 49 * 6 * 36),
    "torch.convolution": (
        lambda x, w: torch.convolution(x, w, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1), [IMAGE, KERNEL],
        B * 49 * 6 * 36,
    ),
    "F.conv_transpose2d": (F.conv_transpose2d, [IMAGE, (4, 6, 3, 3)], B * 81 * 4 * 6 * 9),
    "attention": (F.scaled_dot_product_attention, [(B, 3, 5, 4), (B, 3, 7, 4), (B, 3, 7, 2)], B * 3 * 35 * 6),
    "cdist": (torch.cdist, [(30, 4), (26, 4)], 30 * 26 * 6),
    "pairwise": (lambda x: torch.pdist(x), [(5, 4)], 0),
    "FFT": (lambda x: torch.fft.ifft(torch.fft.fft(x)).real, [(B, 8)], 0),
    "FFT of images": (lambda x: torch.fft.irfft2(torch.fft.rfft2(x)), [(B, 8, 8)], 0),
    "LSTM cell": (
        lambda x, h, c, w, u: torch.lstm_cell(x, (h, c), w, u), [(B, W), (B, H), (B, H), (4 * H, W), (4 * H, H)],
        B * 4 * H * (W + H),
    ),
    "unfolded product": (
        lambda x, w: F.fold(w.flatten(1) @ F.unfold(x, 3), (7, 7), 1), [IMAGE, KERNEL], B * 49 * 6 * 36,
    ),
    "arithmetic": (lambda x: (1 - x) * 2 / (x + 3) ** 2 - x % 2, [X], 0),
    "comparisons": (lambda x: torch.where((x > 0) & (x <= 1), x.clamp(0, 1), -x), [X], 0),
    "reductions": (lambda x: x.mean() + x.sum(-1).max() + x.std() + x.norm() + x.amax(), [X], 0),
    "movement": (lambda x: torch.cat([x, x.flip(0)], -1).permute(2, 0, 1)[1:].contiguous().roll(1, 0), [X], 0),
}  # fmt: skip


class Calling(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class OnParameters(nn.Module):
    """The same on raw parameters."""

    def __init__(self, function, shapes):
        super().__init__()
        self.function, self.own = function, nn.ParameterList([nn.Parameter(torch.rand(s)) for s in shapes])

    def forward(self):
        return self.function(*[each + 0 for each in self.own])


@pytest.mark.parametrize("how", ["inputs", "parameters", "for real", "compiled", "vmap"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_costs_the_same_in_every_calling_style(name, how):
    function, shapes, macs = FUNCTIONS[name]
    inputs = [torch.rand(shape) for shape in shapes]
    if how == "parameters":
        cost = resflops.count(OnParameters(function, shapes))
    elif how == "for real":
        cost = resflops.count(resflops.trace(Calling(function), *inputs, real=True))
    elif how == "vmap":
        if "out" in name or "in place" in name or name in NOT_MAPPED:
            pytest.skip("torch maps it in another way, or not at all")
        mapped = [torch.rand(3, *shape) for shape in shapes]
        cost, macs = resflops.count(Calling(torch.vmap(function)), *mapped), 3 * macs
    else:
        model = Calling(function)
        cost = resflops.count(torch.compile(model) if how == "compiled" else model, *shapes)
    assert (cost.macs, cost.uncounted) == (macs, ())


NOT_MAPPED = ("pairwise", "LSTM cell")
