"""Passes that are made again, since only the pass itself shows what it needs."""

import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from resflops.errors import ResflopsError, TraceError
from resflops.records import Trace
from resflops.tracing.autograd_pass import AutogradNeeded, GradientAsked, asks_for_gradient, enable_autograd
from resflops.tracing.subclasses import hide_constructors, is_constructor_error

__all__ = ["repeat_if_needed"]

_COMPILER = "torch._dynamo"


def repeat_if_needed(record: Callable[..., Trace]) -> Callable[..., Trace]:
    """Let a function that records a pass do so again with what the pass turns out to need."""

    @wraps(record)
    def repeat(*args: Any, **kwargs: Any) -> Trace:
        without: Trace | None = None
        try:
            return _record_with_compiler(record, *args, **kwargs)
        except AutogradNeeded:
            pass
        except GradientAsked as asked:
            # With autograd off it was told that there is none, and may for that reason have taken none.
            without = asked.trace
        except TraceError as error:
            if is_constructor_error(error.__cause__):
                with hide_constructors():
                    return repeat(*args, **kwargs)
            if not asks_for_gradient(error):
                raise
        try:
            with enable_autograd():
                return _record_with_compiler(record, *args, autograd=True, **kwargs)
        except GradientAsked as asked:
            return without or asked.trace
        except ResflopsError:
            if without is None:
                raise
            return without

    return repeat


def _record_with_compiler(record: Callable[..., Trace], *args: Any, **kwargs: Any) -> Trace:
    """Record a pass; if it failed where it was the first to import torch's compiler, import that and repeat.

    The compiler's modules call torch as they are imported, which goes wrong on shapes (vmap imports them in
    torch 2.6), and what is redirected in them is redirected before a pass begins.
    """
    known = _COMPILER in sys.modules
    try:
        return record(*args, **kwargs)
    except TraceError:
        imported = [name for name in sys.modules if name.startswith(_COMPILER)]
        if known or not imported:
            raise
    # If its import failed half-way, Python has taken only the package itself out again.
    if _COMPILER not in sys.modules:
        for name in imported:
            del sys.modules[name]
    import_module(_COMPILER)
    return record(*args, **kwargs)
