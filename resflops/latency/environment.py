"""What the machine and torch are, read and never changed."""

import os
import platform
from collections.abc import Callable
from pathlib import Path

import torch

from resflops._version import __version__
from resflops.latency.measurements import Environment, Gpu
from resflops.latency.telemetry import Telemetry

__all__ = ["environment_of"]

VARIABLES = (
    "CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG", "KMP_AFFINITY", "MKL_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS", "OMP_PROC_BIND", "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "TORCH_CUDNN_V8_API_DISABLED",
)  # fmt: skip
"""Of the process's environment: those that change how fast torch is. What else is in it is the user's own."""


def environment_of(device: torch.device, telemetry: Telemetry | None = None) -> Environment:
    """The environment of what runs now on a device.

    Args:
        device: ``cpu`` or a CUDA device.
        telemetry: the GPU's.
    """
    on_gpu = device.type == "cuda"
    cudnn = torch.backends.cudnn.version() if on_gpu else None  # type: ignore[no-untyped-call]
    return Environment(
        resflops=__version__,
        python=platform.python_version(),
        torch=str(torch.__version__),
        system=f"{platform.system()} {platform.machine()}",
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        gpu=_gpu(device, telemetry or Telemetry()) if on_gpu else None,
        cuda=torch.version.cuda if on_gpu else None,
        cudnn=None if cudnn is None else str(cudnn),
        flags=_flags(on_gpu=on_gpu),
    )


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    for line in text.splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def _gpu(device: torch.device, telemetry: Telemetry) -> Gpu:
    known = torch.cuda.get_device_properties(device)
    return Gpu(
        name=known.name,
        capability=f"{known.major}.{known.minor}",
        multiprocessors=known.multi_processor_count,
        memory_bytes=known.total_memory,
        l2_bytes=known.L2_cache_size,
        driver=telemetry.driver(),
        power_limit_watts=telemetry.power_limit(),
        most_sm_clock_mhz=telemetry.most_clock("SM"),
        most_memory_clock_mhz=telemetry.most_clock("MEM"),
    )


def _flags(*, on_gpu: bool) -> dict[str, str]:
    backends = torch.backends
    precision = _told(torch.get_float32_matmul_precision)
    flags = {
        "float32 matmul precision": precision,
        "inter-op threads": str(torch.get_num_interop_threads()),
        "deterministic algorithms": _word(torch.are_deterministic_algorithms_enabled()),
    }
    if on_gpu:
        flags |= {
            "TF32 in cuBLAS": {"highest": "off", "high": "on", "medium": "on"}.get(precision, precision),
            "TF32 in cuDNN": _told(lambda: _word(backends.cudnn.allow_tf32)),
            "cuDNN enabled": _word(backends.cudnn.enabled),
            "cuDNN benchmark": _word(backends.cudnn.benchmark),
            "cuDNN deterministic": _word(backends.cudnn.deterministic),
        }
    else:
        flags |= {
            "CPU capability": backends.cpu.get_cpu_capability(),
            "oneDNN": _word(backends.mkldnn.enabled),
        }
    return flags | {name: os.environ[name] for name in VARIABLES if name in os.environ}


def _told(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except RuntimeError:
        # torch has an older and a newer way to set it, and the older cannot tell what the newer has set.
        return "set per operator"


def _word(flag: object) -> str:
    return "on" if flag else "off"
