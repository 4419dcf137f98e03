"""Distributed tensors: the part of one that this process holds.

Torch's ``DTensor`` has the shape of the whole and holds the part of this rank, on which its ops run.
"""

import sys
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor

from resflops.records import ModuleRecord
from resflops.tracing.meta import META
from resflops.tracing.modules import Modules

__all__ = [
    "find_distributed_type",
    "find_local",
    "find_waiting_type",
    "list_local_records",
    "make_distributed",
    "make_local_double",
    "replace_local",
]


def find_distributed_type() -> type[Tensor] | None:
    """Find torch's class of distributed tensors; None if it has not been imported, so that none can exist."""
    # Not imported here: it takes as long as a thousand counts of a small model.
    module = sys.modules.get("torch.distributed.tensor")
    found: type[Tensor] | None = getattr(module, "DTensor", None)
    return found


def find_waiting_type() -> type[Tensor] | None:
    """Find the class of what a collective returns: a tensor that waits for its elements at its first use."""
    module = sys.modules.get("torch.distributed._functional_collectives")
    found: type[Tensor] | None = getattr(module, "AsyncCollectiveTensor", None)
    return found


def find_local(tensor: Tensor) -> Tensor:
    """Find the part of a tensor that this rank holds: a plain tensor itself."""
    kind = find_distributed_type()
    while kind is not None and isinstance(tensor, kind):
        tensor = tensor._local_tensor  # type: ignore[attr-defined]
    waiting = find_waiting_type()
    return tensor.elem if waiting is not None and isinstance(tensor, waiting) else tensor  # type: ignore[attr-defined]


def replace_local(tensor: Tensor, local: Tensor) -> Tensor:
    """Make a distributed tensor like another one, with another local part."""
    return make_distributed(local, tensor._spec, requires_grad=False)  # type: ignore[attr-defined]


def make_distributed(local: Tensor, spec: object, *, requires_grad: bool) -> Tensor:
    """Make a distributed tensor of its local part and what torch calls its specification."""
    kind: Any = find_distributed_type()
    made: Tensor = kind(local, spec, requires_grad=requires_grad)
    return made


def make_local_double(tensor: Tensor) -> Tensor:
    """Make a meta tensor like the local part of a distributed one."""
    local = find_local(tensor)
    return torch.empty_strided(local.shape, local.stride(), dtype=local.dtype, device=META)


def list_local_records(modules: Modules) -> tuple[ModuleRecord, ...]:
    """List the records of a model's modules, with the shapes of the parameters and buffers of this rank."""
    kind = find_distributed_type()
    if kind is None:
        return modules.records
    local = {}
    for name, tensor in (*modules.model.named_parameters(), *modules.model.named_buffers()):
        if isinstance(tensor, kind):
            local[name] = tuple(find_local(tensor).shape)
    if not local:
        return modules.records
    records = []
    for record in modules.records:
        prefix = f"{record.path}." if record.path else ""
        changed = {
            field: tuple(
                replace(tensor, shape=local.get(prefix + tensor.name, tensor.shape))
                for tensor in getattr(record, field)
            )
            for field in ("parameters", "buffers")
        }
        records.append(replace(record, **changed))
    return tuple(records)
