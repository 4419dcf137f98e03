"""Functions of other libraries that launch kernels of their own, which are ops by their names."""

import inspect
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from torch._C import DisableTorchFunction
from torch._C._functorch import maybe_current_level as functorch_level

from resflops.ops import KERNELS, Call, Mismatch, NotDescribed
from resflops.tracing.recorder import Recorder
from resflops.tracing.redirections import redirect

__all__ = ["find_kernels"]

_waiting: dict[str, list[tuple[str, str]]] = {}
for _module, _path in KERNELS:
    _waiting.setdefault(_module.partition(".")[0], []).append((_module, _path))


def find_kernels() -> None:
    """Redirect the functions of the libraries that have been imported by now, from the next trace on."""
    # By library, and the smaller set first: a look for each function would be felt in every count.
    if _waiting.keys().isdisjoint(sys.modules.keys()):
        return
    for library in [library for library in _waiting if library in sys.modules]:
        for module, path in _waiting.pop(library):
            redirect(module, path, lasting=False)(partial(_record, KERNELS[module, path]))


def _record(
    read: Callable[[dict[str, Any]], Call],
    recorder: Recorder,
    own: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Record a call as the op that its declaration reads it as."""

    def describe(*args: Any, **kwargs: Any) -> Call:
        bound = inspect.signature(own).bind(*args, **kwargs)
        bound.apply_defaults()
        try:
            return read(bound.arguments)
        # Other versions have other arguments; what the function calls is then recorded instead.
        except (KeyError, AttributeError, IndexError, Mismatch) as error:
            raise NotDescribed from error

    # Inside vmap and similar transforms a tensor's shape lacks the dimensions that are mapped over.
    if functorch_level() is not None:
        return own(*args, **kwargs)
    try:
        describe(*args, **kwargs)
    except (TypeError, NotDescribed):
        return own(*args, **kwargs)
    with DisableTorchFunction():
        return recorder.record_kernel(own, describe, args, kwargs, sys._getframe(1))
