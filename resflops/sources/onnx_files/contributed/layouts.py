"""Operators on images whose channels lie by blocks, as onnxruntime has them for one processor, or last."""

from collections.abc import Iterable

from resflops.sources.onnx_files.contributed._rules import Given, Output, outputs
from resflops.sources.onnx_files.contributed.standard import WINDOW, as_standard, with_channels_last

BLOCKS, LAST = "com.microsoft.nchwc", "com.ms.internal.nhwc"

LARGEST_BLOCK = 16
"""How many channels a block has on any processor, or a divisor of it."""

outputs("Conv", domain=BLOCKS)(as_standard("Conv", 0, 1, kept=WINDOW))
outputs("Conv", domain=LAST)(with_channels_last("Conv", 0, 1, always=True))
for _operator in ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool"):
    outputs(_operator, domain=BLOCKS)(
        as_standard(_operator, 0, kept=() if _operator.startswith("Global") else WINDOW)
    )
    outputs(_operator, domain=LAST)(with_channels_last(_operator, 0, always=True))


@outputs("ReorderInput", domain=BLOCKS)
def _enter(given: Given) -> Iterable[Output]:
    batch, channels, *spatial = given.sizes(0)
    if given.number("channels_last"):
        batch, *spatial, channels = given.sizes(0)
    # Others are padded to whole blocks, as large as the processor has them.
    whole = channels is not None and channels % LARGEST_BLOCK == 0
    yield given.get(0), (batch, channels if whole else None, *spatial)


@outputs("ReorderOutput", domain=BLOCKS)
def _leave(given: Given) -> Iterable[Output]:
    batch, _, *spatial = given.sizes(0)
    channels = given.number("channels")
    last = given.number("channels_last")
    yield given.get(0), (batch, *spatial, channels) if last else (batch, channels, *spatial)


@outputs("Upsample", domain=BLOCKS)
def _enlarge(given: Given) -> Iterable[Output]:
    scaled = zip(given.sizes(0), given.attributes["scales"], strict=True)
    yield given.get(0), tuple([None if size is None else size * scale for size, scale in scaled])
