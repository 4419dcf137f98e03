"""TorchScript files: a module for each layer, which goes through the code that the file has for it.

``torch.jit.load`` reads the attributes of modules with an unpickler of its own, which makes tensors, numbers,
texts, lists, dicts and objects of the classes that the file's own code has or that torch has registered, and
calls no other function. It compiles the file's code, which is TorchScript and not Python, and runs of it the
``__setstate__`` of classes that have one. TorchScript can compute, print and raise, and ``torch.save`` in it
writes a file. A count goes through the rest of the code node by node, and refuses to do that.
"""

from resflops.sources.scripts.loading import load_script
from resflops.sources.scripts.module import ScriptModel, find_compiled, make_module

__all__ = ["ScriptModel", "find_compiled", "load_script", "make_module"]
