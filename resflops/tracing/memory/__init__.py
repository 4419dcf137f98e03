"""The memory of a pass on shapes, with autograd: exact by storage, without a kernel and without memory.

The model's copy holds fake tensors: they have shapes, strides and storages, and no elements. A dispatch
mode under everything that the model does watches each storage from the op that takes it to the moment when
nothing refers to it any longer, as an allocator would see it. So views, writes in place, checkpointing and
the lifetimes of Python's variables need no rules.
"""

from resflops.tracing.memory.measure import measure_memory

__all__ = ["measure_memory"]
