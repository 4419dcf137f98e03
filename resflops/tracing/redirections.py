"""Redirections: functions that behave otherwise in a thread in which a trace runs.

Not everything that a forward pass does reaches a mode: torch's transforms take real tensors past every mode,
and a new thread has no modes. So while a trace runs, some functions are replaced by ones that ask the thread
for its recorder. In a thread without one they only call on, and the last trace to end puts the functions
back.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Lock, local
from typing import Any

from msgspec import Struct

from resflops.tracing.recorder import Recorder

__all__ = ["find_recorder", "redirect", "redirect_calls"]

Redirected = Callable[..., Any]
"""Takes the recorder, the function that it stands for, and that function's arguments."""


class _Redirection(Struct, eq=False):
    """One function that is replaced."""

    module: str
    path: str
    instead: Redirected
    users: int = 0
    """How many running traces have replaced it."""
    own: Any = None
    inherited: bool = False
    """Whether the owner is a class that has the function from its base."""
    replacement: Any = None

    def find_owner(self) -> tuple[Any, str] | None:
        """Find what holds the function; None where the module has not been imported, or lacks it."""
        owner: Any = sys.modules.get(self.module)
        *parts, name = self.path.split(".")
        for part in parts:
            owner = getattr(owner, part, None)
        return (owner, name) if hasattr(owner, name) else None


_REDIRECTIONS: list[_Redirection] = []
_thread = local()
"""Has ``recorder`` in a thread in which a trace runs."""
_lock = Lock()


def redirect(module: str, path: str) -> Callable[[Redirected], Redirected]:
    """Register a function that takes the place of another one in a thread in which a trace runs.

    Args:
        module: the module that holds the other function. Only if it has been imported, the function is
            replaced: importing it might take longer than a count.
        path: the function's name there, after its class if it is a method.
    """

    def register(instead: Redirected) -> Redirected:
        _REDIRECTIONS.append(_Redirection(module, path, instead))
        return instead

    return register


def find_recorder() -> Recorder | None:
    """Find the recorder of the trace that runs in this thread."""
    return getattr(_thread, "recorder", None)


@contextmanager
def redirect_calls(recorder: Recorder) -> Iterator[None]:
    """Redirect this thread's calls to a recorder, as long as this lasts."""
    # A forward pass may trace another model, whose recorder then comes first.
    before = find_recorder()
    with _lock:
        replaced = [redirection for redirection in _REDIRECTIONS if _replace(redirection)]
    _thread.recorder = recorder
    try:
        yield
    finally:
        _thread.recorder = before
        with _lock:
            for redirection in replaced:
                _put_back(redirection)


def _replace(redirection: _Redirection) -> bool:
    if not redirection.users:
        found = redirection.find_owner()
        if found is None:
            return False
        owner, name = found
        redirection.own, redirection.inherited = getattr(owner, name), name not in vars(owner)
        redirection.replacement = _make_replacement(redirection.own, redirection.instead)
        setattr(owner, name, redirection.replacement)
    redirection.users += 1
    return True


def _put_back(redirection: _Redirection) -> None:
    redirection.users -= 1
    if redirection.users:
        return
    # Not if somebody else has replaced it meanwhile.
    if (found := redirection.find_owner()) and getattr(*found) is redirection.replacement:
        if redirection.inherited:
            delattr(*found)
        else:
            setattr(*found, redirection.own)
    redirection.own = redirection.replacement = None


def _make_replacement(own: Callable[..., Any], instead: Redirected) -> Callable[..., Any]:
    @wraps(own)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        recorder = find_recorder()
        if recorder is None:
            return own(*args, **kwargs)
        return instead(recorder, own, *args, **kwargs)

    return replacement
