"""Which layer runs, told by the calls of the copy's modules.

The frames of the call stack would tell, too, but up to Python 3.12 looking at the variables of a frame
keeps all of them alive until the frame ends. Hooks would make some of torch's layers take another way.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

__all__ = ["RunningLayer"]


class RunningLayer:
    """Knows the innermost module of a copy that is being called.

    Args:
        model: the copy; its modules are told apart by their first paths.
    """

    def __init__(self, model: nn.Module) -> None:
        self._paths: list[str] = []
        for path, module in model.named_modules():
            # nn.Module.__call__ looks it up on the instance.
            vars(module)["_call_impl"] = partial(self._call, path, module._call_impl)

    @property
    def path(self) -> str | None:
        """Its dotted path; None between calls."""
        return self._paths[-1] if self._paths else None

    def _call(self, path: str, own: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._paths.append(path)
        try:
            return own(*args, **kwargs)
        finally:
            self._paths.pop()
