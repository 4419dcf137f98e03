"""Hands a call of the user's model on to the function that was called, and does nothing else.

Python attributes a warning to whoever called the function that warns. The recorder stands between the
model and torch, so what torch warns of in the model would be attributed to the recorder. All such calls
go through this module. A warning in the name of any other module of resflops is then resflops' own fault,
and the tests let none of those pass.
"""

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["call_through"]


def call_through(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Call a function; return or raise what it does."""
    return func(*args, **kwargs)
