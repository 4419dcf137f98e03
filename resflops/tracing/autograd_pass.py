"""Forward passes that take gradients themselves, as force fields and inner training loops do.

A pass on shapes hands out fresh tensors, through which autograd could find no way. So at the first gradient
that a forward asks for, the pass is broken off and made again with autograd on: every function then runs
through the dispatcher, which sees the ops of the backward pass like all others, and the doubles of the
model's parameters require a gradient where the parameters do. A model that never asks pays nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._C import _DisableFuncTorch
from torch._C._functorch import maybe_current_level as functorch_level
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from resflops.records import Trace
from resflops.tracing.call_through import call_through
from resflops.tracing.fused_attention import attend
from resflops.tracing.meta import find_tensors
from resflops.tracing.observers import Observer
from resflops.tracing.recorder import Recorder
from resflops.tracing.redirections import find_recorder, redirect

__all__ = [
    "Autograd",
    "AutogradNeeded",
    "GradientAsked",
    "asks_for_gradient",
    "enable_autograd",
    "require_like",
]


class AutogradNeeded(BaseException):
    """The pass has to be made again with autograd on.

    No Exception, so that a forward that catches whatever its own code may raise does not catch this.
    """


class GradientAsked(Exception):  # noqa: N818 - as AutogradNeeded, it is no error
    """The model has asked whether a tensor has a gradient, and has taken none."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace


def asks_for_gradient(error: BaseException) -> bool:
    """Whether an error means that a tensor should have required a gradient, as for a hook on its gradient."""
    words = ("require grad", "requires_grad=False", "requires grad")
    return any(word in str(error) for word in words)


class Autograd(TorchFunctionMode, Observer):
    """Lets the model see the doubles of its tensors, over a recorder on meta, and their gradients."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function on the doubles; this reaches the recorder."""
        if (recorder := find_recorder()) is not None:
            args, kwargs = recorder.double((args, kwargs or {}))
            if func is scaled_dot_product_attention:
                func = attend
        return call_through(func, args, kwargs or {})

    def on_double(self, tensor: Tensor, double: Tensor) -> None:
        """Let a double require a gradient where the model's tensor does."""
        # Inside torch.func.grad nothing may be made to require a gradient.
        with _DisableFuncTorch():
            double.requires_grad_(tensor.requires_grad)


@contextmanager
def enable_autograd() -> Iterator[None]:
    """Switch autograd on, also for a caller who has switched it off."""
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.enable_grad())
        yield


def require_like(made: Any, given: Any) -> None:
    """Let the tensors that stand for inputs require a gradient where the caller's do."""
    for stand_in, own in zip(find_tensors(made), find_tensors(given), strict=False):
        if own.requires_grad:
            stand_in.requires_grad_()


@redirect("torch.nn.functional", "scaled_dot_product_attention", autograd=True)
def attend_fused(recorder: Recorder, own: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Attend as the CPU does, also where a function of torch's own asks for it, which reaches no mode."""
    return own(*args, **kwargs) if recorder.real else attend(*args, **kwargs)


@redirect("torch.autograd", "_engine_run_backward")
def run_backward(
    recorder: Recorder,
    own: Callable[..., Any],
    outputs: Any,
    gradients: Any,
    retain_graph: bool,  # noqa: FBT001 - torch's own signature
    create_graph: bool,  # noqa: FBT001
    *more: Any,
    **named: Any,
) -> Any:
    """Run a backward pass, whose ops are recorded as they run."""
    _check_autograd(recorder)
    recorder.gradient_taken = True
    more = recorder.double(more)
    mode = recorder.grad_mode
    before, mode.on = mode.on, mode.on and bool(create_graph or recorder.graph_asked)
    try:
        # Hooks, custom functions and checkpointed parts are the model's code.
        with recorder.resume():
            return own(outputs, gradients, retain_graph, create_graph, *more, **named)
    finally:
        mode.on = before


@redirect("torch.autograd.forward_ad", "make_dual")
def make_dual(recorder: Recorder, own: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Give a tensor a tangent, which the ops then carry on."""
    if functorch_level() is None:
        _check_autograd(recorder)
    args, kwargs = recorder.double((args, kwargs))
    return own(*args, **kwargs)


@redirect("torch._functorch.eager_transforms", "_autograd_grad")
def take_gradient_of_transform(recorder: Recorder, own: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Take the gradient that torch.func was asked for: within a transform, all ops went through autograd."""
    before, recorder.autograd = recorder.autograd, True
    # vjp asks for the graph of its gradient where autograd is on, which it never is in a trace on shapes.
    asked, recorder.graph_asked = recorder.graph_asked, True
    try:
        return own(*args, **kwargs)
    finally:
        recorder.autograd, recorder.graph_asked = before, asked


@redirect("torch.autograd.functional", "_autograd_grad")
def take_gradient(recorder: Recorder, own: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Take a gradient for a Jacobian, which torch fills with zeros where nothing requires a gradient."""
    _check_autograd(recorder)
    return own(*args, **kwargs)


def _check_autograd(recorder: Recorder) -> None:
    """Break the pass off if it runs without autograd."""
    if not recorder.autograd:
        recorder.autograd_needed = True
        raise AutogradNeeded
