"""The memory of a pass from its stored trace, by rules: what each op takes, keeps and releases.

The trace knows which memory every tensor lies in, and each op's declaration what it saves for its gradient.
From the two follow the blocks of a pass, also of one on another batch, in another type, or with layers that
run again in the backward pass. No torch is needed, and a network takes milliseconds.
"""

from resflops.peak_memory.from_traces.estimate import estimate_memory
from resflops.peak_memory.from_traces.layer_bytes import (
    LayerBytes,
    count_layer_bytes,
    count_op_bytes,
)

__all__ = ["LayerBytes", "count_layer_bytes", "count_op_bytes", "estimate_memory"]
