"""The networks whose memory is compared: 15 of the families that people train, on a batch of any size."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import torch
import torchvision  # type: ignore[import-untyped]
from msgspec import Struct
from torch import Tensor, nn

__all__ = ["NETWORKS", "Network", "find_logits"]

SIDE, TOKENS, WORDS = 224, 256, 8192
"""Pixels along an image, tokens in a text, and how many different ones there are."""

WIDTH, HEADS, LAYERS = 256, 4, 4
"""Of the language models, which are small: their kinds of layers are those of the large ones."""


class Network(Struct, frozen=True, kw_only=True, dict=True):
    """One network: how it is built, what it is given, and which of its layers are checkpointed."""

    name: str
    build: Callable[[], nn.Module]
    make_input: Callable[[int], Tensor]
    checkpointing: tuple[str, ...] = ("blocks",)
    """Patterns of layers; by default the blocks that it repeats."""

    @cached_property
    def model(self) -> nn.Module:
        """One that was built before; who changes it takes a copy."""
        return self.build()


class _Twice(nn.Sequential):
    """Two convolutions of a UNet."""

    def __init__(self, channels: int, width: int) -> None:
        layers: list[nn.Module] = []
        for given in (channels, width):
            layers += [nn.Conv2d(given, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        super().__init__(*layers)


class _UNet(nn.Module):
    """A UNet of four halvings (Ronneberger et al. 2015), half as wide and padded."""

    def __init__(self, classes: int = 21, width: int = 32) -> None:
        super().__init__()
        widths = [width << level for level in range(5)]
        self.down = nn.ModuleList(map(_Twice, [3, *widths], widths))
        self.pool = nn.MaxPool2d(2)
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(wide, narrow, 2, 2) for wide, narrow in pairs)
        self.up = nn.ModuleList(_Twice(wide, narrow) for wide, narrow in pairs)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            kept.append(x)
        kept.pop()
        for grow, block in zip(self.grow, self.up, strict=True):
            x = block(torch.cat([kept.pop(), grow(x)], 1))
        out: Tensor = self.head(x)
        return out


def _build_gpt2() -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(
        GPT2Config(vocab_size=WORDS, n_positions=TOKENS, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS)
    )


def _build_llama() -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=WORDS,
            hidden_size=WIDTH,
            intermediate_size=704,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=2,
            max_position_embeddings=TOKENS,
        )
    )


def _build_bert() -> nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(
        BertConfig(
            vocab_size=WORDS,
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            max_position_embeddings=TOKENS,
        )
    )


def _make_images(batch: int) -> Tensor:
    return torch.zeros(batch, 3, SIDE, SIDE)


def _make_tokens(batch: int) -> Tensor:
    return torch.zeros(batch, TOKENS, dtype=torch.int64)


def _from_torchvision(name: str, *checkpointing: str) -> Network:
    return Network(
        name=name,
        build=partial(torchvision.models.get_model, name, weights=None),
        make_input=_make_images,
        checkpointing=checkpointing or ("blocks",),
    )


NETWORKS = (
    *(_from_torchvision(name) for name in ("resnet18", "resnet34", "resnet50")),
    # A VGG repeats no blocks: what is checkpointed is all its convolutions, and all its classifier.
    *(_from_torchvision(name, "features", "classifier") for name in ("vgg11", "vgg19")),
    *(
        _from_torchvision(name)
        for name in (
            "densenet121", "mobilenet_v3_large", "efficientnet_b0", "convnext_tiny", "vit_b_16", "swin_t"
        )
    ),
    Network(name="unet", build=_UNet, make_input=_make_images),
    Network(name="gpt2, 4 layers", build=_build_gpt2, make_input=_make_tokens),
    Network(name="llama, 4 layers", build=_build_llama, make_input=_make_tokens),
    Network(name="bert, 4 layers", build=_build_bert, make_input=_make_tokens),
)  # fmt: skip
"""In the order in which they are shown."""


def find_logits(output: Any) -> Tensor:
    """Find the scores in an output, a row for each sample or for each token of a text."""
    scores: Tensor = getattr(output, "logits", output)
    return scores.flatten(0, 1) if scores.dim() == 3 else scores
