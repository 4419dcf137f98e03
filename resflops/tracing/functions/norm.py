"""Dropout."""

import torch.nn.functional as F
from torch import Tensor

from resflops.tracing.functions.call import Call
from resflops.tracing.functions.registry import describes


def _dropout(name: str) -> None:
    @describes(getattr(F, name), repeated=True)
    def dropout(
        input: Tensor,
        p: float = 0.5,
        training: bool = True,
        inplace: bool = False,
    ) -> Call:
        # A rate of zero is how networks switch dropout off.
        return Call(name, (input,), tuple(input.shape), {"training": training and p > 0}, in_place=inplace)


for _name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"):
    _dropout(_name)
