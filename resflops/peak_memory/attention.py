"""Which kernel of attention a GPU takes, where none is asked for."""

from resflops.peak_memory.options import Attention

__all__ = ["choose_on_gpu"]

_MOST_WIDE = 256
"""The widest head that flash attention takes."""


def choose_on_gpu(*, small: bool, masked: bool, widths: tuple[int, int], grouped: bool) -> Attention:
    """Choose as torch does on a GPU that all kernels are built for.

    Args:
        small: whether the numbers are float16 or bfloat16.
        masked: whether there is a mask.
        widths: of the heads of the query and of the value.
        grouped: whether several heads of the query share one of the key.
    """
    if small and not masked and widths[0] == widths[1] <= _MOST_WIDE:
        return "flash"
    return "math" if grouped else "efficient"
