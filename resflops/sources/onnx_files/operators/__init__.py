"""What each operator of ONNX is: one module a family, as in ``resflops.ops``."""

from importlib import import_module
from pkgutil import iter_modules

from resflops.sources.onnx_files.operators._binding import OPERATORS, OperatorCall, Read, Steps

__all__ = ["OPERATORS", "OperatorCall", "Read", "Steps"]

for _module in iter_modules(__path__):
    if not _module.name.startswith("_"):
        import_module(f"{__name__}.{_module.name}")
