"""Finds the device that a name means, and opens it for timing."""

import re

import torch

from resflops.errors import UsageError
from resflops.latency.cpu import Cpu
from resflops.latency.cuda import Cuda
from resflops.latency.environment import read_environment
from resflops.latency.machine import Environment
from resflops.latency.telemetry import open_telemetry

__all__ = ["choose_device", "open_device"]


def choose_device(name: str | None) -> str:
    """Choose the device of a name; without a name, a GPU if there is one, else the processor.

    Raises:
        UsageError: there is no such device, or torch has no CUDA.
    """
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return name
    if not re.fullmatch(r"cuda(:\d+)?", name):
        raise UsageError(
            f"device {name!r} is unknown; available: cpu, cuda, and cuda:N for one of several GPUs"
        )
    if not torch.cuda.is_available():
        why = "finds none" if torch.version.cuda else "is built without CUDA"
        raise UsageError(
            f"device {name!r} needs a CUDA GPU, and torch {torch.__version__} {why}; "
            "measure on the processor with --device cpu"
        )
    number, known = int(name.partition(":")[2] or 0), torch.cuda.device_count()
    if number >= known:
        last = f"cuda:{known - 1}"
        raise UsageError(f"device {name!r}: there is no GPU {number}; the last one is {last}")
    return name


def open_device(name: str) -> tuple[Cpu | Cuda, Environment]:
    """Open a device for timing, and read its environment."""
    device = torch.device(name)
    if device.type == "cpu":
        return Cpu(), read_environment(device)
    device = torch.device("cuda", device.index if device.index is not None else torch.cuda.current_device())
    # By its UUID: NVML numbers all GPUs, CUDA only those that CUDA_VISIBLE_DEVICES lets it see.
    telemetry = open_telemetry(str(getattr(torch.cuda.get_device_properties(device), "uuid", "")))
    return Cuda(device, telemetry), read_environment(device, telemetry)
