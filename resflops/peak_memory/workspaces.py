"""What libraries take of a GPU's memory for themselves: an estimate, apart from the figures that are exact.

cuBLAS is given a workspace by torch (aten/src/ATen/cuda/CublasHandlePool.cpp), which stays until the process
ends: one for each thread that multiplies matrices; autograd runs the backward pass in a thread of its own.
The workspace of cuDNN's convolutions depends on the algorithm that cuDNN chooses, which no rule tells.
"""

from msgspec import Struct

from resflops.peak_memory.records import Memory

__all__ = ["Workspace", "estimate_workspaces"]

LARGE, SMALL = 32 << 20, (2 * 4096 + 8 * 16) << 10
"""What cuBLAS is given on Hopper and later, and on earlier GPUs; CUBLAS_WORKSPACE_CONFIG overrides both."""
WITH_BIAS = 1 << 20
"""What cuBLASLt is given, which adds a bias to a product; CUBLASLT_WORKSPACE_SIZE overrides it."""

_PRODUCTS = frozenset({"addbmm", "addmm", "addmm_activation", "addmv", "baddbmm", "bmm", "dot", "mm", "mv"})
_WITH_BIAS = frozenset({"addmm", "addmm_activation"})
_HOPPER = 9


class Workspace(Struct, frozen=True, kw_only=True):
    """Memory that a library is given once, and keeps."""

    library: str
    phase: str
    """``forward`` or ``backward``: each is a thread of its own."""
    step: int
    """The first step that needs it."""
    size: int


def estimate_workspaces(memory: Memory, *, capability: int = _HOPPER) -> tuple[Workspace, ...]:
    """Estimate the workspaces that cuBLAS keeps after a pass, by the rules of torch 2.11 for CUDA.

    Args:
        memory: the pass, whose steps tell which products are in it.
        capability: the first number of the GPU's compute capability: 8 for Ampere, 9 for Hopper.
    """
    sizes = {"cuBLAS": LARGE if capability >= _HOPPER else SMALL, "cuBLASLt": WITH_BIAS}
    found: dict[tuple[str, str], Workspace] = {}
    for number, step in enumerate(memory.steps):
        for library, ops in (("cuBLAS", _PRODUCTS), ("cuBLASLt", _WITH_BIAS)):
            phase = "backward" if step.phase == "backward" else "forward"
            if step.op in ops and (library, phase) not in found:
                found[library, phase] = Workspace(
                    library=library, phase=phase, step=number, size=sizes[library]
                )
    return tuple(found.values())
