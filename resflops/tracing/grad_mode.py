"""Whether the model itself has switched autograd off, as ``torch.no_grad()`` in a forward pass does."""

from types import FrameType

from torch.utils._contextlib import _DecoratorContextManager

__all__ = ["GradMode", "TrueGradMode"]


class TrueGradMode:
    """Follows the mode in a pass with autograd on, in which it is what torch is told."""

    def __init__(self) -> None:
        self.on = True

    def set(self, value: bool, frame: FrameType | None) -> None:  # noqa: FBT001 - torch's own signature
        """Take note of a mode that torch is asked to set, from a frame."""
        while frame is not None and isinstance(frame.f_locals.get("self"), _DecoratorContextManager):
            frame = frame.f_back
        if not _hands_mode_on(frame):
            self.on = value


class GradMode:
    """Follows the model's own ``no_grad``, ``enable_grad`` and ``set_grad_enabled``.

    A trace runs with autograd off. A context of the model's therefore always finds it off and, when it
    ends, sets it off again, so the value that torch is given does not say what the mode would be outside
    a trace. The method of the context that sets the mode tells whether the context begins or ends.
    """

    def __init__(self) -> None:
        self.on = True
        # The mode before each open context, which lives until its exit takes the entry out: so its id is
        # its own. A set_grad_enabled that is called as a function has no exit; its entry stays, and the next
        # one of that id overwrites it as it is made.
        self._before: dict[tuple[type, int], bool] = {}

    def set(self, value: bool, frame: FrameType | None) -> None:  # noqa: FBT001 - torch's own signature
        """Take note of a mode that torch is asked to set, from a frame."""
        owner, method = None, ""
        # One context may set the mode through another, as no_grad does through set_grad_enabled. The
        # outermost is the one that the model entered.
        while frame is not None and isinstance(found := frame.f_locals.get("self"), _DecoratorContextManager):
            owner, method, frame = found, frame.f_code.co_name, frame.f_back
        if _hands_mode_on(frame):
            return
        key = (type(owner), id(owner))
        if method == "__exit__":
            self.on = self._before.pop(key, True)
            return
        # set_grad_enabled sets the mode as it is made, before anybody enters it.
        if method == "__init__":
            self._before[key] = self.on
        elif owner is not None:
            self._before.setdefault(key, self.on)
        self.on = value


def _hands_mode_on(frame: FrameType | None) -> bool:
    """Whether a frame is of torch's own code that sets a mode which the model has not asked for.

    Checkpointing runs a part without autograd and runs it again with autograd in the backward pass, where its
    gradients are recorded: so they are counted as if recorded at first. parallel_apply gives its threads the
    mode of the thread that starts them, which in a trace is off.
    """
    return frame is not None and frame.f_globals.get("__name__") in _HANDS_ON


_HANDS_ON = ("torch.utils.checkpoint", "torch.nn.parallel.parallel_apply")
