"""How a value shows itself, in a notebook, as a picture, or as text.

A value never imports what displays it, since that lies in a higher layer. The modules of the group
``resflops.displays`` register themselves here, and are loaded when a value is shown for the first time.
"""

from collections.abc import Callable
from typing import Any

from resflops.errors import suggest
from resflops.extensions import load_extensions

__all__ = ["DISPLAYS", "explain_missing", "find_display"]

DISPLAYS: dict[str, Callable[..., Any]] = {}
"""The displays by their names: ``html`` and ``text`` of any value, ``format`` of a table in any format,
``table`` of a value's rows, ``summary`` and ``plot`` of a cost."""


def find_display(name: str) -> Callable[..., Any]:
    """Find what displays a value in a way."""
    load_extensions("resflops.displays")
    return DISPLAYS[name]


def explain_missing(value: object, name: str, answers: dict[str, str]) -> str:
    """Explain that a value has no such attribute, and what has the answer instead.

    Args:
        value: the value that was asked.
        name: the attribute that it lacks.
        answers: the names that other counters use, each with what to write here.
    """
    kind = type(value)
    message = f"{kind.__name__!r} object has no attribute {name!r}"
    if name in answers:
        return f"{message}; {answers[name]}"
    # Notebooks and debuggers ask for many of those, and nobody reads the answer.
    if name.startswith("_"):
        return message
    known = [each for each in dir(kind) if not each.startswith("_")]
    return f"{message}{suggest(name, known)}"
