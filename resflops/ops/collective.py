"""Communication between processes: what one rank sends to others, and what it gets from them.

The ops of ``torch.distributed``, of its functional collectives and of FSDP.
"""

from functools import partial

from resflops.ops._declaration import moved_gradient
from resflops.ops._free import COPY, declare_free

FAMILY = "collective"

_FUNCTIONAL = (
    "all_gather_into_tensor", "all_gather_into_tensor_coalesced", "all_gather_into_tensor_out", "all_reduce",
    "all_reduce_", "all_reduce_coalesced", "all_reduce_coalesced_", "all_to_all_single", "batch_p2p_ops",
    "broadcast", "broadcast_", "irecv", "isend", "reduce_scatter_tensor", "reduce_scatter_tensor_coalesced",
    "reduce_scatter_tensor_out",
)  # fmt: skip
_IN_GROUP = (
    "_allgather_base_", "_reduce_scatter_base_", "allgather_", "allgather_coalesced_",
    "allgather_into_tensor_coalesced_", "allreduce_", "allreduce_coalesced_", "alltoall_", "alltoall_base_",
    "barrier", "broadcast_", "gather_", "gather_into_tensor_", "monitored_barrier_", "recv_",
    "recv_any_source_", "reduce_", "reduce_scatter_", "reduce_scatter_tensor_coalesced_", "scatter_", "send",
)  # fmt: skip

_declare = partial(declare_free, family=FAMILY, gradient=moved_gradient(), saves=())

# Which rank adds up how much of an all-reduce depends on the algorithm that the library picks at run time
# (a ring, a tree, or the network's switches), so the sum is not counted for any rank.
_declare(
    *(f"c10d.{name}" for name in _IN_GROUP),
    *(f"_c10d_functional.{name}" for name in _FUNCTIONAL),
    # Their name up to torch 2.3, under which they still exist.
    *(f"c10d_functional.{name}" for name in _FUNCTIONAL),
    *(f"_c10d_functional_autograd.{name}" for name in _FUNCTIONAL),
    "_dtensor.shard_dim_alltoall",
    reason="communication: what is added up on the way is not the work of one rank",
)
_declare(
    *(f"{space}.wait_tensor" for space in ("_c10d_functional", "c10d_functional")),
    "_c10d_functional._wrap_tensor_autograd", "_c10d_functional.wait_tensors", "c10d.check_for_nan",
    reason="bookkeeping: it waits for a collective, or wraps its result",
    shares="always",
)  # fmt: skip
_declare(
    "fsdp.all_gather_copy_in", "fsdp.chunk_cat", "fsdp.chunk_cat_mixed_dtype", "fsdp.copy_",
    "fsdp.record_grad_output_stream", "fsdp.split_with_sizes_copy",
    reason=COPY,
)  # fmt: skip
