"""Small networks of the kinds that resflops has no built-in ones of, on which predictions are tried.

They are what they are named after in kind, not in detail: depthwise separable convolutions with
squeeze-and-excitation (MobileNet), dense blocks (DenseNet), and pre-norm attention (a vision transformer).
"""

from collections.abc import Callable

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Chain", "Dense", "Separable", "Transformer", "build_chain"]


def _normalize(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


class _Excited(nn.Module):
    """A depthwise separable block, whose channels are weighed by what is in them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Sequential(*_normalize(inputs, inputs, 3, stride, inputs), nn.SiLU(inplace=True))
        self.squeeze = nn.Conv2d(inputs, max(inputs // 4, 8), 1)
        self.excite = nn.Conv2d(max(inputs // 4, 8), inputs, 1)
        self.pointwise = nn.Sequential(*_normalize(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)
        weights = self.excite(functional.relu(self.squeeze(functional.adaptive_avg_pool2d(x, 1))))
        made: Tensor = self.pointwise(x * weights.sigmoid())
        return made


class Separable(nn.Sequential):
    """Depthwise separable convolutions with squeeze-and-excitation."""

    def __init__(self) -> None:
        plan = [
            (32, 64, 1),
            (64, 128, 2),
            (128, 128, 1),
            (128, 256, 2),
            (256, 256, 1),
            (256, 512, 2),
            (512, 512, 1),
        ]
        super().__init__(
            *_normalize(3, 32, 3, 2), nn.SiLU(inplace=True), *(_Excited(*each) for each in plan),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000),
        )  # fmt: skip


class _Grown(nn.Module):
    """A dense block: every layer sees what all before it have made."""

    def __init__(self, inputs: int, layers: int, growth: int = 24) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(inputs + place * growth),
                nn.ReLU(inplace=True),
                *_normalize(inputs + place * growth, 4 * growth),
                nn.ReLU(inplace=True),
                nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
            )
            for place in range(layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        made = [x]
        for layer in self.layers:
            made.append(layer(torch.cat(made, 1)))
        return torch.cat(made, 1)


class Dense(nn.Sequential):
    """Dense blocks with transitions between them."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [*_normalize(3, 48, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
        channels = 48
        for count in (4, 6, 8):
            layers += [_Grown(channels, count), nn.Conv2d(channels + 24 * count, 96, 1), nn.AvgPool2d(2)]
            channels = 96
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))


class _Block(nn.Module):
    """Attention and two linear layers, each behind a norm and beside a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        parts = self.project(self.before(x)).reshape(batch, tokens, 3, self.heads, -1)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4).unbind(0)
        attended = functional.scaled_dot_product_attention(queries, keys, values)
        x = x + self.join(attended.transpose(1, 2).reshape(batch, tokens, width))
        made: Tensor = x + self.narrow(functional.gelu(self.widen(self.between(x))))
        return made


class Transformer(nn.Module):
    """A vision transformer of six blocks on patches of 16 × 16."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 384, 16, 16)
        self.blocks = nn.Sequential(*(_Block(384, 6) for _ in range(6)))
        self.head = nn.Sequential(nn.LayerNorm(384), nn.Linear(384, 1000))

    def forward(self, x: Tensor) -> Tensor:
        """Classify images."""
        made: Tensor = self.head(self.blocks(self.embed(x).flatten(2).transpose(1, 2)).mean(1))
        return made


class Chain(Struct, frozen=True, kw_only=True):
    """The same small ops, called by modules and by functions."""

    modules: int
    call_modules: Callable[[], object]
    call_functions: Callable[[], object]


CHAIN_LENGTH, CHAIN_CHANNELS = 12, 8


def build_chain() -> Chain:
    """Build a chain of small convolutions, norms and activations."""
    blocks = [
        (*_normalize(CHAIN_CHANNELS, CHAIN_CHANNELS), nn.ReLU(inplace=True)) for _ in range(CHAIN_LENGTH)
    ]
    network = nn.Sequential(*(module for block in blocks for module in block)).eval()
    image = torch.zeros(1, CHAIN_CHANNELS, 4, 4)
    weights = [
        (convolution.weight, (norm.weight, norm.bias, norm.running_mean, norm.running_var))
        for convolution, norm, _ in blocks
    ]

    def call_functions() -> Tensor:
        x = image
        for weight, statistics in weights:
            x = torch.conv2d(x, weight, None, (1, 1), (0, 0), (1, 1), 1)  # type: ignore[arg-type]
            x = torch.batch_norm(x, *statistics, False, 0.1, 1e-5, True)  # type: ignore[arg-type] # noqa: FBT003
            x = torch.relu_(x)
        return x

    return Chain(modules=1 + len(network), call_modules=lambda: network(image), call_functions=call_functions)
