"""What tests/benchmarks/gpu/memory_compare.py has found: a GPU's allocator, and what was predicted for it."""

from pathlib import Path

import msgspec
from msgspec import Struct

from resflops.errors import SchemaError
from resflops.peak_memory.allocator import AllocatorFigures
from resflops.storage.writing import read_bytes

__all__ = ["GpuMemory", "GpuRun", "load_gpu_memory"]


class _Alone(Struct, frozen=True, kw_only=True):
    size: int


class GpuRun(Struct, frozen=True, kw_only=True):
    """One network in one way; figures are those of its last step, with the kernels' workspace estimated."""

    network: str
    batch: int
    gpu: tuple[AllocatorFigures, ...]
    with_workspaces: tuple[AllocatorFigures, ...]
    only_gpu_at_peak: tuple[_Alone, ...]
    """The blocks in use at the peak that only the GPU has taken: workspace of kernels."""
    training: bool = False
    optimizer: str = ""
    dtype: str = ""
    autocast: bool = False
    checkpointing: str | tuple[str, ...] = ""
    loss: str = ""

    @property
    def measured(self) -> AllocatorFigures:
        """What the GPU's allocator says."""
        return self.gpu[-1]

    @property
    def predicted(self) -> AllocatorFigures:
        """What was predicted."""
        return self.with_workspaces[-1]

    @property
    def workspace_at_peak(self) -> int:
        """The workspace of kernels in use at the peak, in bytes."""
        return sum(each.size for each in self.only_gpu_at_peak)

    def describe_way(self) -> str:
        """Describe how it was run."""
        words = ["training" if self.training else "inference"]
        words += [self.optimizer] if self.optimizer else []
        words += [f"{self.dtype}{' autocast' if self.autocast else ''}"] if self.dtype else []
        words += ["checkpointing"] if self.checkpointing else []
        words += [self.loss] if self.loss == "cross-entropy" else []
        return ", ".join(words)


class GpuMemory(Struct, frozen=True, kw_only=True):
    """All runs of one GPU."""

    device: str
    torch: str
    results: tuple[GpuRun, ...]


def load_gpu_memory(file: Path) -> GpuMemory:
    """Read a file.

    Raises:
        SchemaError: it holds something else.
    """
    try:
        return msgspec.json.decode(read_bytes(file), type=GpuMemory)
    except msgspec.DecodeError as error:
        raise SchemaError(f"{file} is not what memory_compare.py writes: {error}") from error
