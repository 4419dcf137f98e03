"""How a memory is written in one line, and what it answers to the names that people look for."""

from typing import TYPE_CHECKING

from resflops.peak_memory.sizes import format_size

if TYPE_CHECKING:
    from resflops.peak_memory.records import Memory

__all__ = ["ANSWERS", "represent_memory"]

_PEAK = "memory.peak is in all, and memory.above_weights without parameters and buffers"
_SPLIT = "memory.split() has the parts of the peak by kind, and memory.split(step) those of a step"
_HOLDERS = "memory.holders() has what each layer holds at the peak, the largest first"

ANSWERS = {
    **dict.fromkeys(("total", "max", "bytes", "peak_bytes", "peak_memory", "max_memory_allocated"), _PEAK),
    **dict.fromkeys(
        ("parts", "parameters", "buffers", "gradients", "activations", "temporary", "optimizer_state"), _SPLIT
    ),
    **dict.fromkeys(("layers", "by_layer", "by_module", "top"), _HOLDERS),
    **dict.fromkeys(("timeline", "usage"), "memory.curve has the bytes in use during each step"),
    **dict.fromkeys(("print", "show", "display", "table"), "print(memory.summary()) shows it"),
    "to_csv": "memory.to_frame() is a pandas data frame, and memory.summary().to_csv() a text",
    "to_json": "memory.save(path) writes it as JSON",
}
"""What to use in place of names that are close in meaning."""


def represent_memory(memory: "Memory") -> str:
    """Write a memory in one line, with the figures that people look for.

    >>> from resflops.api.memory import memory
    >>> memory("vgg19", (1, 3, 224, 224))
    Memory(vgg19 on 1×3×224×224, inference: 601 MB (573 MiB) at the peak, 26.3 MB (25.1 MiB) above weights)
    """
    inputs = ", ".join("×".join(map(str, given.shape)) or "a scalar" for given in memory.inputs)
    on = f" on {inputs}" if inputs else ""
    way = "training" if memory.training else "inference"
    return (
        f"Memory({memory.model}{on}, {way}: {format_size(memory.peak)} at the peak, "
        f"{format_size(memory.above_weights)} above weights)"
    )
