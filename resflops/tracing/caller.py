"""Who calls a function: the layer, and the frame, read off the stack.

It needs no hook on the user's modules and cannot see another thread's.
"""

from types import FrameType

__all__ = ["CallingLayer", "asking_frame"]


class CallingLayer:
    """The innermost module whose code is running.

    Args:
        paths: the model's modules, by id, with their paths.
    """

    def __init__(self, paths: dict[int, str]) -> None:
        self._paths = paths
        # Code object id -> whether its first argument is called self. Asking the code
        # object itself builds a tuple of all its names each time.
        self._is_method: dict[int, bool] = {}

    def of(self, frame: FrameType | None) -> str:
        """Path of the module that a frame runs for; ``""`` if it is the model itself, or none."""
        is_method, paths = self._is_method, self._paths
        while frame is not None:
            code = frame.f_code
            method = is_method.get(id(code))
            if method is None:
                method = code.co_argcount > 0 and code.co_varnames[0] == "self"
                is_method[id(code)] = method
            if method:
                path = paths.get(id(frame.f_locals.get("self")))
                if path is not None:
                    return path
            frame = frame.f_back
        return ""


_OURS = "resflops.tracing."


def asking_frame(frame: FrameType) -> FrameType:
    """The frame that asks torch for something, past those of an observer that hands the call on."""
    while frame.f_globals.get("__name__", "").startswith(_OURS) and frame.f_back is not None:
        frame = frame.f_back
    return frame
