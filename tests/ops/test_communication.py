"""Communication between processes is free, and gradients pass it."""

import pytest

from resflops.ops import OPS


@pytest.mark.parametrize(
    "op",
    ["_c10d_functional.all_reduce", "_c10d_functional.reduce_scatter_tensor", "_c10d_functional.wait_tensor",
     "c10d.allreduce_", "c10d._allgather_base_", "fsdp.all_gather_copy_in"],
)  # fmt: skip
def test_what_moves_between_processes_is_free(op):
    assert OPS[op].free.startswith("communication")
    assert OPS[op].gradient is not None
    assert OPS[op].work is None
