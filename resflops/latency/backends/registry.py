"""Opens backends by their names."""

from resflops.latency.backends.base import Backend
from resflops.latency.backends.onnxruntime import OnnxRuntime
from resflops.latency.backends.openvino import OpenVino
from resflops.latency.backends.torch import Torch

__all__ = ["open_backend"]

_BACKENDS: dict[str, Backend] = {"torch": Torch(), "onnxruntime": OnnxRuntime(), "openvino": OpenVino()}
"""None of their modules imports what it runs until something is run."""


def open_backend(name: str) -> Backend:
    """Open the backend of a name."""
    return _BACKENDS[name]
