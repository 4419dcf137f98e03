"""Loading a TorchScript file."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

__all__ = ["load_script", "load_values"]


@contextmanager
def load_values() -> Iterator[None]:
    """Load what a file holds with its values: outside the modes in which models are built without."""
    with torch.device("cpu"), torch._C.DisableTorchFunction():  # noqa: SLF001
        yield


def load_script(path: Path) -> Any:  # noqa: ANN401 - a ScriptModule, whose attributes are its own
    """Load a TorchScript file onto the CPU."""
    with load_values(), warnings.catch_warnings():
        # Torch's advice to export instead is for whoever makes such files.
        warnings.simplefilter("ignore", FutureWarning)
        return torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
