"""TorchScript files: a module for each layer, which goes through the code that the file has for it."""

from resflops.sources.scripts.loading import load_script
from resflops.sources.scripts.module import ScriptModel, find_compiled, make_module
from resflops.sources.scripts.torch_classes import hide_classes, restore_classes

__all__ = [
    "ScriptModel",
    "find_compiled",
    "hide_classes",
    "load_script",
    "make_module",
    "restore_classes",
]
