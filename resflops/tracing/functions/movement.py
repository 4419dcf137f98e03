"""Windows put back together, which adds up what overlaps."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from resflops.tracing.functions.registry import Call, NotDescribed, describes, per_dimension


@describes(F.fold)
def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Call:
    """Every column added to its window of an image."""
    shape = tuple(input.shape)
    kernel = per_dimension(kernel_size, 2)
    taps = kernel[0] * kernel[1]
    if len(shape) not in (2, 3) or shape[-2] % taps:
        raise NotDescribed
    return Call("col2im", (input,), (*shape[:-2], shape[-2] // taps, *per_dimension(output_size, 2)))
