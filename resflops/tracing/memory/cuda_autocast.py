"""Autocast as CUDA has it, where some functions compute in float32 that the CPU's leaves as they are.

The lists are those of aten/src/ATen/autocast_mode.h. The functions of lower precision are the CPU's, too.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

__all__ = ["run_in_float32"]

_CAST = frozenset({
    "acos", "asin", "binary_cross_entropy_with_logits", "cdist", "cosh", "cosine_embedding_loss",
    "cosine_similarity", "cross_entropy", "dist", "erfinv", "exp", "expm1", "group_norm",
    "hinge_embedding_loss", "huber_loss", "interpolate", "kl_div", "l1_loss", "layer_norm", "log", "log10",
    "log1p", "log2", "logsumexp", "margin_ranking_loss", "mse_loss", "multi_margin_loss",
    "multilabel_margin_loss", "nll_loss", "pdist", "poisson_nll_loss", "pow", "reciprocal", "renorm", "rsqrt",
    "sinh", "smooth_l1_loss", "soft_margin_loss", "softplus", "tan", "triplet_margin_loss",
})  # fmt: skip
"""Functions whose arguments become float32."""

_RESULT = frozenset({"cumprod", "cumsum", "log_softmax", "norm", "prod", "softmax", "sum"})
"""Functions whose result is float32, from arguments that stay as they are."""

_AS_THEY_ARE = frozenset({"cat", "concat", "concatenate", "stack"})
"""Functions that the CPU's autocast gives one type first."""

_LOW = (torch.float16, torch.bfloat16)


def run_in_float32(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a function as CUDA's autocast does, with what it computes in float32."""
    name = getattr(func, "__name__", "")
    if name in _CAST:
        return func(*tree_map_only(Tensor, _cast, args), **tree_map_only(Tensor, _cast, kwargs))
    if name in _AS_THEY_ARE:
        with torch.autocast("cpu", enabled=False):
            return func(*args, **kwargs)
    given = kwargs.get("input", args[0] if args else None)
    if name in _RESULT and isinstance(given, Tensor) and given.dtype in _LOW and not kwargs.get("dtype"):
        # A softmax of CUDA's reads the arguments as they are; a fake one of the CPU's needs a copy for it.
        return func(*args, **{**kwargs, "dtype": torch.float32})
    return func(*args, **kwargs)


def _cast(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in _LOW else tensor
