"""Which rank a count is of, and when a model that is spread over several must not run for real."""

import torch
from torch import nn

from resflops.errors import TraceError
from resflops.tracing.distributed.tensors import find_distributed_type, find_local

__all__ = ["check_real_run", "describe_rank"]


def describe_rank(model: nn.Module) -> tuple[str, ...]:
    """Say which rank is counted, of a model with distributed parameters."""
    if not _holds_distributed(model):
        return ()
    distributed = torch.distributed
    return (
        f"counted for rank {distributed.get_rank()} of {distributed.get_world_size()}: its own work, and the "
        "parameters that it holds",
    )


def check_real_run(model: nn.Module) -> None:
    """Refuse a real run that other processes would have to take part in.

    Raises:
        TraceError: other ranks would have to run as well, or some weights are not on the CPU.
    """
    if not _holds_distributed(model):
        return
    distributed = torch.distributed
    name = type(model).__name__
    if distributed.get_world_size() > 1 and distributed.get_backend() != "fake":
        raise TraceError(
            f"{name} has to run for real, since its path depends on values, and its tensors are distributed "
            f"over {distributed.get_world_size()} processes, which would all have to run; "
            "count it before it is distributed"
        )
    away = [tensor.device for tensor in model.parameters() if find_local(tensor).device.type != "cpu"]
    if away:
        raise TraceError(
            f"{name} has to run for real, since its path depends on values, and its distributed parameters "
            f"are on {away[0]}, from where they cannot be copied; count it before it is distributed"
        )


def _holds_distributed(model: nn.Module) -> bool:
    kind = find_distributed_type()
    return kind is not None and any(isinstance(tensor, kind) for tensor in model.parameters())
