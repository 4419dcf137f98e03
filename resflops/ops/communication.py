"""Communication between processes: data moves, and what is added up on its way is the network's work.

The sums of an all-reduce or a reduce-scatter are free here. Who adds what depends on the library, the
topology and the number of ranks (a ring, a tree, or a switch in the network), and not on the model. No
counter and no paper counts them.
"""

from functools import partial

from resflops.ops._declaration import moved_gradient, stopped_gradient
from resflops.ops._free import declare_free

FAMILY = "communication"

_REASON = "communication: elements move between processes, and are at most added up on the way"
_declare = partial(declare_free, family=FAMILY, reason=_REASON, gradient=moved_gradient(), saves=())

_FUNCTIONAL = (
    "all_gather_into_tensor", "all_gather_into_tensor_coalesced", "all_gather_into_tensor_out", "all_reduce",
    "all_reduce_coalesced", "all_to_all_single", "batch_p2p_ops", "broadcast", "irecv", "isend",
    "reduce_scatter_tensor", "reduce_scatter_tensor_coalesced", "reduce_scatter_tensor_out", "wait_tensor",
)  # fmt: skip
# The last is what they were called before torch 2.3, and still exists.
for _space in ("_c10d_functional", "_c10d_functional_autograd", "c10d_functional"):
    _declare(*(f"{_space}.{name}" for name in _FUNCTIONAL))
# A trailing underscore marks the variant in place, and belongs to the name in these libraries.
_declare("_c10d_functional.all_reduce_", "_c10d_functional.all_reduce_coalesced_",
         "_c10d_functional.broadcast_", "_c10d_functional._wrap_tensor_autograd",
         "_c10d_functional.wait_tensors", shares="always")  # fmt: skip
_declare("_dtensor.shard_dim_alltoall")
_declare(
    *(
        f"c10d.{name}"
        for name in (
            "_allgather_base_", "_reduce_scatter_base_", "allgather_", "allgather_coalesced_",
            "allgather_into_tensor_coalesced_", "allreduce_", "allreduce_coalesced_", "alltoall_",
            "alltoall_base_", "broadcast_", "gather_", "gather_into_tensor_", "recv_", "recv_any_source_",
            "reduce_", "reduce_scatter_", "reduce_scatter_tensor_coalesced_", "scatter_", "send",
        )
    ),
    shares="sometimes",
)  # fmt: skip
_declare(
    "c10d.barrier", "c10d.check_for_nan", "c10d.monitored_barrier_",
    gradient=stopped_gradient("it moves no data"),
)  # fmt: skip
# What FSDP2 does around its collectives: parameters are laid into one buffer and cut out of it again.
_declare("fsdp.all_gather_copy_in", "fsdp.split_with_sizes_copy", "fsdp.chunk_cat", "fsdp.copy_",
         "fsdp.chunk_cat_mixed_dtype", "fsdp.record_grad_output_stream",
         shares="sometimes")  # fmt: skip
