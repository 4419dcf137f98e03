"""vmap, grad and their like over tensors that the model holds.

These transforms wrap a tensor before any op sees it, and what is wrapped can be given no meta double any
more: the double would lack the dimension that is mapped over, or the way back to what a gradient is asked
for. So a real tensor is replaced by its double just before it is wrapped.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from resflops.tracing.recorder import Recorder
from resflops.tracing.redirections import redirect

__all__ = ["wrap_double"]


@redirect("torch._functorch.vmap", "_add_batch_dim")
@redirect("torch._functorch.eager_transforms", "_wrap_for_grad")
def wrap_double(recorder: Recorder, own: Callable[..., Any], tensor: Tensor, *more: Any) -> Any:
    """Wrap a tensor's meta double in its place, unless the pass runs for real."""
    return own(recorder.double(tensor), *more)
