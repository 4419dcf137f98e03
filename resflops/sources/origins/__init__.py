"""The sources, one module each. Importing this package registers them all; to add one, add its module."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
