"""Model specs: the text that names a model, and the model that it names.

Nothing here but ``open_model`` imports torch, and a source of models from another package imports that
package only when it is asked for a model.
"""

from importlib import import_module
from typing import Any

from resflops.records import TensorSpec
from resflops.sources.found_model import FoundModel, Inputs, WithInputs
from resflops.sources.lookup import expand, find, names
from resflops.sources.registry import SOURCES, Source, register
from resflops.sources.selection import SelectedModel, select_models
from resflops.sources.spec import Spec, parse_spec

__all__ = [
    "SOURCES",
    "FoundModel",
    "Inputs",
    "OpenModel",
    "SelectedModel",
    "Source",
    "Spec",
    "TensorSpec",
    "WithInputs",
    "expand",
    "find",
    "names",
    "open_model",
    "parse_spec",
    "register",
    "select_models",
]

_WITH_TORCH = ("OpenModel", "open_model")


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _WITH_TORCH:
        return getattr(import_module("resflops.sources.building"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
