"""Loading a TorchScript file."""

import warnings
from pathlib import Path
from typing import Any

import torch

from resflops.sources.loading_values import load_values

__all__ = ["load_script"]


def load_script(path: Path) -> Any:  # noqa: ANN401 - a ScriptModule, whose attributes are its own
    """Load a TorchScript file onto the CPU."""
    with load_values(), warnings.catch_warnings():
        # Torch's advice to export instead is for whoever makes such files.
        warnings.simplefilter("ignore", FutureWarning)
        return torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
