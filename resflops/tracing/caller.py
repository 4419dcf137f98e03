"""Who calls a function: the layer and the frame, read off the call stack.

The stack needs no hook on the user's modules, and a thread's stack cannot show another thread's modules.
"""

from types import FrameType

__all__ = ["CallingLayer", "find_asking_frame", "is_taken_back"]


class CallingLayer:
    """Finds the innermost module whose code is running.

    Args:
        paths: the model's modules, by id, with their paths.
    """

    def __init__(self, paths: dict[int, str]) -> None:
        self._paths = paths
        # Code object id -> whether its first argument is called self. Asking the code
        # object itself builds a tuple of all its names each time. The key is an id because the
        # hash of a code object is worked out from its contents at every look-up.
        self._is_method: dict[int, bool] = {}

    def find(self, frame: FrameType | None) -> str:
        """Find the path of the module that a frame runs for; ``""`` if it is the model itself, or none."""
        is_method, paths = self._is_method, self._paths
        while frame is not None:
            code = frame.f_code
            method = is_method.get(id(code))
            if method is None:
                method = code.co_argcount > 0 and code.co_varnames[0] == "self"
                is_method[id(code)] = method
            # Not for other frames: up to Python 3.12 f_locals copies all local variables into a dict.
            if method:
                path = paths.get(id(frame.f_locals.get("self")))
                if path is not None:
                    return path
            frame = frame.f_back
        return ""

    def find_module(self, frame: FrameType | None) -> object:
        """Find the innermost module that a frame runs for; None if there is none."""
        while frame is not None:
            code = frame.f_code
            if code.co_argcount > 0 and code.co_varnames[0] == "self":
                found = frame.f_locals.get("self")
                if id(found) in self._paths:
                    return found
            frame = frame.f_back
        return None


def is_taken_back(frame: FrameType) -> bool:
    """Whether what leaves torch in a frame comes back at once: ``torch.from_dlpack`` asks for it."""
    while (
        frame.f_globals.get("__name__") in ("torch._tensor", "torch.overrides") and frame.f_back is not None
    ):
        frame = frame.f_back
    return frame.f_globals.get("__name__") == "torch.utils.dlpack"


_OURS = "resflops.tracing."


def find_asking_frame(frame: FrameType) -> FrameType:
    """Find the frame of the model, or of torch, that called a function.

    An observer that intercepts calls hands them on from a frame of its own, which is skipped.
    """
    while frame.f_globals.get("__name__", "").startswith(_OURS) and frame.f_back is not None:
        frame = frame.f_back
    return frame
