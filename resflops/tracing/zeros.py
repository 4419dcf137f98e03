"""Input tensors made from nothing but a shape."""

import torch
from torch import Tensor

from resflops.errors import InputError
from resflops.records import Shape

__all__ = ["zeros"]


def zeros(shape: Shape, *, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Make a tensor of zeros, which on meta takes no memory.

    Raises:
        InputError: the tensor would be larger than torch can address, or than memory.
    """
    # On meta there is nothing to fill, and torch.zeros takes several times as long.
    make = torch.empty if device.type == "meta" else torch.zeros
    try:
        return make(shape, dtype=dtype, device=device)
    except (RuntimeError, TypeError) as error:
        most = "torch can address" if device.type == "meta" else "fits in memory"
        raise InputError(
            f"input shape {'×'.join(map(str, shape))} is larger than {most}; give a smaller one"
        ) from error
