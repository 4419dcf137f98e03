"""The types of what operators give that onnx has no schema of: those that onnxruntime adds to its own."""

from importlib import import_module
from pkgutil import iter_modules

from resflops.sources.onnx_files.contributed._rules import infer_contributed

__all__ = ["infer_contributed"]

for _module in iter_modules(__path__):
    if not _module.name.startswith("_"):
        import_module(f"{__name__}.{_module.name}")
