"""Keeping a model on the path that it takes with real tensors, where it asks whether its tensors are fake."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, local
from typing import Any

__all__ = ["stay_on_eager_path"]

# transformers makes every mask in full for a fake tensor, which it leaves out in a real run if it hides
# nothing.
_ASKED = ("transformers.utils.import_utils", "is_fake_tensor")

_thread = local()
_lock = Lock()
_users = 0
_own: Callable[[Any], bool] | None = None


def _answer(tensor: Any) -> bool:
    """Say that nothing is fake in a thread that measures, and the truth in every other."""
    if getattr(_thread, "measures", False) or _own is None:
        return False
    return _own(tensor)


@contextmanager
def stay_on_eager_path() -> Iterator[None]:
    """Let a model take its tensors for real ones, in this thread, as long as this lasts."""
    global _users, _own  # noqa: PLW0603 - the function that is replaced belongs to the process
    module, name = sys.modules.get(_ASKED[0]), _ASKED[1]
    if module is None or not hasattr(module, name):
        yield
        return
    with _lock:
        if _users == 0:
            _own = getattr(module, name)
            setattr(module, name, _answer)
        _users += 1
    before, _thread.measures = getattr(_thread, "measures", False), True
    try:
        yield
    finally:
        _thread.measures = before
        with _lock:
            _users -= 1
            if _users == 0:
                setattr(module, name, _own)
