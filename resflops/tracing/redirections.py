"""Redirections: functions that behave otherwise in a thread in which a trace runs.

Not everything that a forward pass does reaches a mode: torch's transforms take real tensors past every mode,
and a new thread has no modes. So while a trace runs, some functions are replaced by ones that ask the thread
for its recorder. In a thread without one they only call on, and the last trace to end puts the functions
back.
"""

import sys
from collections.abc import Callable
from functools import partial, wraps
from threading import Lock, local
from typing import Any

from msgspec import Struct

from resflops.tracing.recorder import Recorder

__all__ = ["find_recorder", "join_trace", "redirect", "redirect_calls", "redirect_value"]

Redirected = Callable[..., Any]
"""Takes the recorder, the function that it stands for, and that function's arguments."""


class _Redirection(Struct, eq=False):
    """One function, or other value of a module, that is replaced."""

    module: str
    path: str
    make: Callable[[Any], Any]
    """Makes what takes its place."""
    users: int = 0
    """How many running traces have replaced it."""
    owner: Any = None
    """What holds the function; None as long as that has not been imported."""
    name: str = ""
    own: Any = None
    held: Any = None
    """The same as its owner holds it: a static method is more than the function that it gives."""
    inherited: bool = False
    """Whether the owner is a class that has the function from its base."""
    replacement: Any = None
    lasting: bool = True
    """Whether its owner stays what it is once it has been found."""

    def find_owner(self) -> bool:
        """Find what holds the function, and say whether it does."""
        # Once found it is kept, as this is asked for every trace.
        if self.owner is None and (owner := sys.modules.get(self.module)) is not None:
            *parts, self.name = self.path.split(".")
            for part in parts:
                owner = getattr(owner, part, None)
            self.owner = owner if hasattr(owner, self.name) else None
        return self.owner is not None


_REDIRECTIONS: list[_Redirection] = []
_FOR_AUTOGRAD: list[_Redirection] = []
"""Those that only a pass with autograd on needs."""
_FOR_VALUES: list[_Redirection] = []
"""Those that only a pass on shapes needs that makes values up."""
_thread = local()
"""Has ``recorder`` in a thread in which a trace runs."""
_lock = Lock()


def redirect(
    module: str, path: str, *, lasting: bool = True, autograd: bool = False, values: bool = False
) -> Callable[[Redirected], Redirected]:
    """Register a function that takes the place of another one in a thread in which a trace runs.

    Args:
        module: the module that holds the other function. Only if it has been imported, the function is
            replaced: importing it might take longer than a count.
        path: the function's name there, after its class if it is a method.
        lasting: whether the module may be kept once it has been found; otherwise it is looked for again in
            every trace.
        autograd: whether only a pass with autograd on replaces it: others would call it for nothing.
        values: whether only a pass on shapes that makes values up replaces it.
    """

    def register(instead: Redirected) -> Redirected:
        known = _FOR_AUTOGRAD if autograd else _FOR_VALUES if values else _REDIRECTIONS
        known.append(_Redirection(module, path, partial(_make_replacement, instead), lasting=lasting))
        return instead

    return register


def redirect_value(module: str, path: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Register a function that makes, of what a module holds, what takes its place while traces run.

    Other threads see it, too. So it has to be what the other was, except in a thread in which a trace runs.
    """

    def register(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        _REDIRECTIONS.append(_Redirection(module, path, make))
        return make

    return register


def find_recorder() -> Recorder | None:
    """Find the recorder of the trace that runs in this thread."""
    return getattr(_thread, "recorder", None)


class join_trace:  # noqa: N801 - a context manager, named as the function that it would be
    """Let this thread belong to the trace of a recorder, or to none, as long as this lasts."""

    # Written out, here and below, since the generators of contextlib take longer and every count enters both.
    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder

    def __enter__(self) -> None:
        # A forward pass may trace another model, whose recorder then comes first.
        self._before = find_recorder()
        _thread.recorder = self._recorder

    def __exit__(self, *exception: object) -> None:
        _thread.recorder = self._before


class redirect_calls(join_trace):  # noqa: N801
    """Redirect this thread's calls to a recorder, as long as this lasts."""

    def __enter__(self) -> None:
        with _lock:
            known = _REDIRECTIONS
            if self._recorder is not None and self._recorder.autograd:
                known = [*known, *_FOR_AUTOGRAD]
            if self._recorder is not None and self._recorder.made_up_values is not None:
                known = [*known, *_FOR_VALUES]
            self._replaced = [redirection for redirection in known if _replace(redirection)]
        super().__enter__()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        with _lock:
            for redirection in self._replaced:
                _put_back(redirection)


def _replace(redirection: _Redirection) -> bool:
    """Replace a function, if it is there."""
    if not redirection.users:
        if not redirection.lasting:
            redirection.owner = None
        owner, name = redirection.owner, redirection.name
        if owner is None:
            if not redirection.find_owner():
                return False
            owner, name = redirection.owner, redirection.name
        own = getattr(owner, name)
        # The replacement of the last time serves again, unless somebody has replaced the function meanwhile.
        if own is not redirection.own:
            redirection.own, redirection.held = own, vars(owner).get(name)
            redirection.inherited = name not in vars(owner)
            redirection.replacement = redirection.make(own)
        setattr(owner, name, redirection.replacement)
    redirection.users += 1
    return True


def _put_back(redirection: _Redirection) -> None:
    redirection.users -= 1
    if redirection.users:
        return
    owner, name = redirection.owner, redirection.name
    # Not if somebody else has replaced it meanwhile.
    if getattr(owner, name) is not redirection.replacement:
        return
    if redirection.inherited:
        delattr(owner, name)
    else:
        setattr(owner, name, redirection.held)


def _make_replacement(instead: Redirected, own: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(own)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        recorder = find_recorder()
        if recorder is None:
            return own(*args, **kwargs)
        return instead(recorder, own, *args, **kwargs)

    return replacement
