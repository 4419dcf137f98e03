"""Whether the model itself has switched autograd off, as ``torch.no_grad()`` in a forward does."""

from types import FrameType

from torch.utils._contextlib import _DecoratorContextManager
from torch.utils.checkpoint import CheckpointFunction

__all__ = ["GradMode"]


class GradMode:
    """Follows the model's own ``no_grad``, ``enable_grad`` and ``set_grad_enabled``.

    A trace is taken without autograd, so what torch finds, and puts back at the end of
    such a context, is always off. Whether a context begins or ends is therefore told by
    the method of it that sets the mode.
    """

    def __init__(self) -> None:
        self.on = True
        self._before: dict[tuple[type, int], bool] = {}

    def set(self, value: bool, frame: FrameType | None) -> None:  # noqa: FBT001 - torch's own signature
        """Torch is asked for a mode, from a frame."""
        owner, method = None, ""
        # One context may set the mode through another: the outermost is the one that was written down.
        while frame is not None and isinstance(found := frame.f_locals.get("self"), _DecoratorContextManager):
            owner, method, frame = found, frame.f_code.co_name, frame.f_back
        if frame is not None and frame.f_globals is CheckpointFunction.forward.__globals__:
            # Checkpointing runs without autograd what it will run once more with it.
            return
        key = (type(owner), id(owner))
        if method == "__exit__":
            self.on = self._before.pop(key, True)
            return
        if method == "__init__":
            self._before[key] = self.on
        elif owner is not None:
            self._before.setdefault(key, self.on)
        self.on = value
