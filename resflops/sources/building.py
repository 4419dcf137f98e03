"""Building a model without allocating or initialising a weight."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from resflops.errors import ModelError
from resflops.sources.found import FoundModel

__all__ = ["built"]


class _WithoutValues(TorchFunctionMode):
    """Makes new tensors on meta, and leaves out the initialisers, which have nothing to fill.

    On meta an initialiser computes nothing, and yet takes more than half of the time in
    which a network is built.
    """

    _constructors = _device_constructors()
    _initialisers = frozenset(
        getattr(nn.init, name)
        for name in ("uniform_", "normal_", "trunc_normal_", "constant_", "kaiming_uniform_",
                     "kaiming_normal_",
                     "xavier_uniform_", "xavier_normal_")
    )  # fmt: skip

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401 - torch's signature
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Divert one call."""
        kwargs = kwargs or {}
        if func in self._initialisers:
            return args[0] if args else kwargs["tensor"]
        if func in self._constructors:
            kwargs = {**kwargs, "device": "meta"}
        return func(*args, **kwargs)


def built(found: FoundModel, *, device: str | torch.device = "meta") -> nn.Module:
    """Build a model, in eval mode.

    Args:
        found: what a spec found.
        device: where to; on ``meta`` it has shapes and no weights.

    Raises:
        ModelError: its constructor failed.
    """
    target = torch.device(device)
    try:
        with _WithoutValues() if target.type == "meta" else target:
            return found.make().eval()
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise ModelError(f"{found.spec} could not be built: {type(error).__name__}: {error}") from error
