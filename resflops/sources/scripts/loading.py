"""Loading a TorchScript file.

``torch.jit.load`` reads the attributes of modules with an unpickler of its own, which makes tensors, numbers,
texts, lists, dicts and objects of the classes that the file's own code has or that torch has registered, and
calls no function of Python. It compiles the file's code, which is TorchScript and not Python, and runs of it
the ``__setstate__`` of classes that have one (``ScriptModuleDeserializer`` in torch's ``import.cpp``). That
can compute, print and raise. It can also save a tensor to a file and map one into memory, so a file whose
code has either is refused before it is loaded.
"""

import tokenize
import warnings
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from resflops.errors import ModelError
from resflops.sources.loading_values import load_values

__all__ = ["load_script"]

_FILES = frozenset({"save", "from_file"})
"""What code that may write or map another file names, whatever it takes them from."""


def load_script(path: Path) -> Any:  # noqa: ANN401 - a ScriptModule, whose attributes are its own
    """Load a TorchScript file onto the CPU.

    Raises:
        ModelError: its code writes or maps files.
        RuntimeError: torch cannot load it.
    """
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if "/code/" in name and name.endswith(".py") and (found := _find_files(archive.read(name))):
                raise ModelError(
                    f"{str(path)!r} was not loaded: its code names {found}, which may write or map any "
                    "file; name what it was made of, such as a class of yours as in model.py:Net"
                )
    with load_values(), warnings.catch_warnings():
        # Torch's advice to export instead is for whoever makes such files.
        warnings.simplefilter("ignore", FutureWarning)
        return torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]


def _find_files(code: bytes) -> str | None:
    """Find what may write or map files among the names in code; None if there is nothing."""
    if not any(name.encode() in code for name in _FILES):
        return None
    try:
        tokens = list(tokenize.tokenize(BytesIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        # Code that Python cannot read has the name in a place that we do not know.
        return next(name for name in sorted(_FILES) if name.encode() in code)
    return next((each.string for each in tokens if each.string in _FILES), None)
