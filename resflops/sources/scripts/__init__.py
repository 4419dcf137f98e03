"""TorchScript files: a module for each layer, which goes through the code that the file has for it."""

from resflops.sources.scripts.loading import load_script
from resflops.sources.scripts.module import ScriptModel, find_compiled, make_module

__all__ = ["ScriptModel", "find_compiled", "load_script", "make_module"]
