"""Hooks that a forward pass registers or removes: they are put back after it.

Every way to register one, on a module, a tensor or for all modules, makes a handle of torch's, and the handle
knows the dicts that the hook is in. So these are copied as the handle is made or used, and no hook is looked
at in a pass that leaves them alone.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import ReferenceType

from resflops.tracing.recorder import Recorder
from resflops.tracing.redirections import redirect

__all__ = ["preserve_hooks"]

_MODULE = "torch.utils.hooks"


@contextmanager
def preserve_hooks(recorder: Recorder) -> Iterator[None]:
    """Put hooks back that were registered or removed while this lasts."""
    try:
        yield
    finally:
        for hooks, before in recorder.hooks_before.values():
            hooks.clear()
            hooks.update(before)


@redirect(_MODULE, "RemovableHandle.__init__")
def register_hook(
    recorder: Recorder, own: Callable[..., None], handle: Any, hooks: Any, *, extra_dict: Any = None
) -> None:
    """Keep what the dicts of a new hook hold."""
    extra = extra_dict if isinstance(extra_dict, list) else [extra_dict]
    _keep(recorder, [hooks, *extra])
    own(handle, hooks, extra_dict=extra_dict)


@redirect(_MODULE, "RemovableHandle.remove")
def remove_hook(recorder: Recorder, own: Callable[..., None], handle: Any) -> None:
    """Keep what the dicts of a hook hold that is removed."""
    refs: list[ReferenceType[Any]] = [handle.hooks_dict_ref, *handle.extra_dict_ref]
    _keep(recorder, [ref() for ref in refs])
    own(handle)


def _keep(recorder: Recorder, dicts: Iterable[Any]) -> None:
    for hooks in dicts:
        if hooks is not None:
            recorder.hooks_before.setdefault(id(hooks), (hooks, dict(hooks)))
