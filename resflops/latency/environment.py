"""Reads what the machine and torch are, and changes nothing."""

import os
import platform
from collections.abc import Callable
from pathlib import Path

import torch

from resflops._version import __version__
from resflops.latency.flags import read_tf32
from resflops.latency.machine import TF32_CONVOLUTIONS, TF32_PRODUCTS, Environment, Gpu
from resflops.latency.telemetry import Telemetry

__all__ = ["read_environment"]

VARIABLES = (
    "CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG", "KMP_AFFINITY", "MKL_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS", "OMP_PROC_BIND", "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "TORCH_CUDNN_V8_API_DISABLED",
)  # fmt: skip
"""The environment variables that change how fast torch is; the others are the user's own business."""


def read_environment(device: torch.device, telemetry: Telemetry | None = None) -> Environment:
    """Read the environment of what runs on a device now.

    Args:
        device: ``cpu`` or a CUDA device.
        telemetry: the GPU's, if it is one.
    """
    on_gpu, cpu = device.type == "cuda", _read_cpu_facts()
    cudnn = torch.backends.cudnn.version() if on_gpu else None  # type: ignore[no-untyped-call]
    return Environment(
        resflops=__version__,
        python=platform.python_version(),
        torch=str(torch.__version__),
        system=f"{platform.system()} {platform.machine()}",
        # platform.processor() is empty on many Linux distributions.
        cpu=cpu.get("model name") or platform.processor() or platform.machine(),
        cpu_family=_describe_family(cpu),
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        gpu=_read_gpu(device, telemetry or Telemetry()) if on_gpu else None,
        cuda=torch.version.cuda if on_gpu else None,
        cudnn=None if cudnn is None else str(cudnn),
        flags=_read_flags(on_gpu=on_gpu),
    )


def _read_cpu_facts() -> dict[str, str]:
    """Read what the system tells of the first processor; nothing on systems that tell it otherwise."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    first = text.partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): " ".join(value.split()) for key, _, value in pairs}


def _describe_family(facts: dict[str, str]) -> str:
    """Describe family, model and stepping: processors of one name differ in what their instructions do."""
    known = [name for name in ("cpu family", "model", "stepping") if facts.get(name)]
    return ", ".join(f"{name.removeprefix('cpu ')} {facts[name]}" for name in known)


def _read_gpu(device: torch.device, telemetry: Telemetry) -> Gpu:
    known = torch.cuda.get_device_properties(device)
    return Gpu(
        name=known.name,
        capability=f"{known.major}.{known.minor}",
        multiprocessors=known.multi_processor_count,
        memory_bytes=known.total_memory,
        l2_bytes=known.L2_cache_size,
        driver=telemetry.read_driver(),
        power_limit_watts=telemetry.read_power_limit(),
        most_sm_clock_mhz=telemetry.read_highest_clock("SM"),
        most_memory_clock_mhz=telemetry.read_highest_clock("MEM"),
        **telemetry.read_modes(),
    )


def _read_flags(*, on_gpu: bool) -> dict[str, str]:
    backends = torch.backends
    flags = {
        "float32 matmul precision": _read_setting(torch.get_float32_matmul_precision),
        "inter-op threads": str(torch.get_num_interop_threads()),
        "deterministic algorithms": _format_flag(torch.are_deterministic_algorithms_enabled()),
    }
    if on_gpu:
        products, convolutions = read_tf32()
        matmul = backends.cuda.matmul
        flags |= {
            TF32_PRODUCTS: _format_flag(products),
            TF32_CONVOLUTIONS: _format_flag(convolutions),
            "float16 sums in float16": _format_flag(matmul.allow_fp16_reduced_precision_reduction),
            "bfloat16 sums in bfloat16": _format_flag(matmul.allow_bf16_reduced_precision_reduction),
            "cuDNN enabled": _format_flag(backends.cudnn.enabled),
            "cuDNN benchmark": _format_flag(backends.cudnn.benchmark),
            "cuDNN deterministic": _format_flag(backends.cudnn.deterministic),
        }
    else:
        flags |= {
            "CPU capability": backends.cpu.get_cpu_capability(),
            "oneDNN": _format_flag(backends.mkldnn.enabled),
        }
    return flags | {name: os.environ[name] for name in VARIABLES if name in os.environ}


def _read_setting(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except RuntimeError:
        # torch has an older and a newer way to set it, and the older cannot tell what the newer has set.
        return "set per operator"


def _format_flag(flag: object) -> str:
    return "on" if flag else "off"
