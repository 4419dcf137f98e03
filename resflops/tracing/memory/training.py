"""What training adds to a forward pass: a loss, checkpointed parts, and the step of an optimiser."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import _engine_run_backward
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from resflops.errors import InputError
from resflops.peak_memory.options import OPTIMIZERS, Options
from resflops.tracing.inputs import find_held

__all__ = [
    "checkpoint_modules",
    "find_scores",
    "make_optimizer",
    "make_targets",
    "run_backward",
    "take_loss",
]


def checkpoint_modules(model: nn.Module, paths: Iterable[str]) -> None:
    """Let modules of a copy run their forward pass again in the backward pass."""
    for path in paths:
        module = model.get_submodule(path)
        # Nothing draws random numbers on shapes, so there is no state of theirs to keep.
        module.forward = partial(checkpoint, module.forward, use_reentrant=False, preserve_rng_state=False)


def find_scores(output: Any) -> Tensor | None:
    """Find the scores that a cross-entropy is taken of: the output, its logits, or its first tensor."""
    given = getattr(output, "logits", output)
    given = given if isinstance(given, Tensor) else next(find_held(given, depth=2), None)
    return given if given is not None and given.is_floating_point() and given.dim() > 1 else None


def make_targets(scores: Tensor) -> Tensor:
    """Make the whole numbers that scores are compared with, one for each place."""
    shape = scores.shape[:-1] if scores.dim() == 3 else (scores.shape[0], *scores.shape[2:])
    return torch.zeros(shape, dtype=torch.int64)


def take_loss(output: Any, targets: Tensor | None, loss: Callable[[Any], Tensor] | None) -> Tensor:
    """Take the loss of an output.

    Raises:
        InputError: nothing in the output has a gradient.
    """
    if loss is not None:
        return loss(output)
    if isinstance(own := getattr(output, "loss", None), Tensor):
        return own
    if targets is not None and (scores := find_scores(output)) is not None:
        if scores.dim() == 3:  # a row of scores for each token
            return cross_entropy(scores.flatten(0, 1), targets.flatten())
        return cross_entropy(scores, targets)
    sums = [tensor.sum() for tensor in find_held(output, depth=4) if tensor.requires_grad]
    if not sums:
        raise InputError("training: no tensor in the model's output has a gradient; give a loss")
    return sum(sums[1:], start=sums[0])


def run_backward(loss: Tensor) -> None:
    """Run the backward pass of a loss.

    By torch's own function for it no mode would see the checkpointed parts, which run again in the pass.
    """
    seeds, keep_graph, create_graph, inputs = (torch.ones_like(loss),), False, False, ()
    _engine_run_backward(
        (loss,), seeds, keep_graph, create_graph, inputs, allow_unreachable=True, accumulate_grad=True
    )


def make_optimizer(parameters: Iterable[nn.Parameter], options: Options) -> torch.optim.Optimizer:
    """Make an optimiser that has its state, as after its first step."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    settings: dict[str, Any] = {"lr": 1e-4}
    if options.optimizer == "sgd-momentum":
        settings["momentum"] = 0.9
    if options.optimizer == "rprop":
        settings["lr"] = 1e-2
    # What torch chooses on each device.
    settings["foreach"] = options.device == "cuda"
    optimizer: torch.optim.Optimizer = getattr(torch.optim, OPTIMIZERS[options.optimizer])(
        trained, **settings
    )
    for parameter in trained:
        parameter.grad = torch.empty_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return optimizer
