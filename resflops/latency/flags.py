"""Settings of torch that decide how fast it computes: read as they are, set for a run, and given back."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from msgspec import Struct

from resflops.latency.configuration import Switch

__all__ = ["Flags", "read_tf32", "set_flags", "set_tf32"]


class Flags(Struct, frozen=True, kw_only=True):
    """What is set for a run; ``default`` and None leave a setting as it is."""

    tf32: Switch = "default"
    """Whether float32 products and convolutions of a GPU are computed in TensorFloat-32."""
    cudnn_benchmark: Switch = "default"
    """Whether cuDNN tries its kernels for each shape and takes the fastest."""
    threads: int | None = None
    """How many threads torch computes with on the CPU."""


@contextmanager
def set_flags(flags: Flags) -> Iterator[None]:
    """Set flags, and give them back as they were."""
    with ExitStack() as given_back:
        if flags.tf32 != "default":
            given_back.enter_context(set_tf32(on=flags.tf32 == "on"))
        if flags.cudnn_benchmark != "default":
            before = torch.backends.cudnn.benchmark
            given_back.callback(setattr, torch.backends.cudnn, "benchmark", before)
            torch.backends.cudnn.benchmark = flags.cudnn_benchmark == "on"
        if flags.threads is not None:
            given_back.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(flags.threads)
        yield


def read_tf32() -> tuple[bool, bool]:
    """Read whether float32 matrix products and convolutions are computed in TensorFloat-32 on a GPU."""
    if _HAS_PRECISIONS:
        return _get_owner("matmul").fp32_precision == "tf32", _get_owner("conv").fp32_precision == "tf32"
    return bool(torch.backends.cuda.matmul.allow_tf32), bool(torch.backends.cudnn.allow_tf32)


_HAS_PRECISIONS = hasattr(torch.backends, "fp32_precision")
"""Whether every kind of op has a precision of its own, from torch 2.9 on: the flags of before then cannot
tell all that these can be set to, and raise."""


def _get_owner(kind: str) -> Any:  # noqa: ANN401 - an object of torch's without a type
    return torch.backends.cuda.matmul if kind == "matmul" else torch.backends.cudnn.conv  # type: ignore[attr-defined]


@contextmanager
def set_tf32(*, on: bool) -> Iterator[None]:
    """Set whether float32 ops of a GPU are computed in TensorFloat-32, and give back how that was set."""
    with ExitStack() as given_back:
        if _HAS_PRECISIONS:
            value = "tf32" if on else "ieee"
            # For all ops of a GPU at once: one that has inherited its precision would, once given one of its
            # own, no longer follow the others.
            given_back.callback(setattr, torch.backends.cudnn, "fp32_precision", _read_own_precision())
            torch.backends.cudnn.fp32_precision = value
            for kind in ("matmul", "conv"):
                _set_and_give_back(given_back, _get_owner(kind), "fp32_precision", value)
        else:
            for owner in (torch.backends.cuda.matmul, torch.backends.cudnn):
                _set_and_give_back(given_back, owner, "allow_tf32", on)
        yield


def _set_and_give_back(given_back: ExitStack, owner: object, name: str, value: object) -> None:
    before = getattr(owner, name)
    if before != value:
        given_back.callback(setattr, owner, name, before)
        setattr(owner, name, value)


def _read_own_precision() -> str:
    """Read the precision that is set for all ops of a GPU, rather than for those of every device."""
    backends: Any = torch.backends
    everywhere = backends.fp32_precision
    backends.fp32_precision = "none"
    try:
        return str(backends.cudnn.fp32_precision)
    finally:
        backends.fp32_precision = everywhere
