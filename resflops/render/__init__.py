"""Writes tables as text: one module a format, found by itself. To add a format, add its module."""

from importlib import import_module
from pkgutil import iter_modules

from resflops.render.registry import (
    CHECK_RENDERERS,
    PAPER,
    RENDERERS,
    Renderer,
    Screen,
    find_format,
    find_renderer,
    list_formats,
    renderer,
)

__all__ = [
    "CHECK_RENDERERS",
    "PAPER",
    "RENDERERS",
    "Renderer",
    "Screen",
    "find_format",
    "find_renderer",
    "list_formats",
    "renderer",
]

# Every module here registers its format when it is imported, so all of them are.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
