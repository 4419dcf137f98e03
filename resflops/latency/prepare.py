"""Prepares a model under a configuration: on its device, in its dtype and layout, as one step."""

import copy
import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from resflops.latency.configuration import CAPTURING_MODES, COMPILE_MODES, Configuration, Mode
from resflops.latency.failures import CaptureError
from resflops.latency.session import Step

__all__ = [
    "PreparedModel",
    "adapt_inputs",
    "adapt_module",
    "copy_with_weights",
    "prepare_model",
    "randomize_inputs",
]

MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}

SEED = 0


class PreparedModel(Struct, frozen=True, kw_only=True):
    """A module, and the step that is timed."""

    step: Step
    module: nn.Module
    call: Step
    """One forward pass, launched op by op whatever the mode is."""
    cold_l2: bool = False
    held_before: int = 0
    """Bytes of the module's weights, if they were on the device before it was prepared."""


def prepare_model(
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    configuration: Configuration,
    *,
    held_before: int = 0,
) -> PreparedModel:
    """Prepare the step of a module that is already adapted to the configuration.

    Args:
        module: the module, on the device and used by nothing else.
        args: its inputs, there too.
        kwargs: those that it takes by keyword.
        configuration: what is timed.
        held_before: bytes of its weights that were on the device before.
    """
    module.train(configuration.training)
    runs = _compile_module(module, configuration.mode)

    def forward(run: Callable[..., Any]) -> Any:  # noqa: ANN401 - whatever the model gives
        with _autocast(configuration):
            return run(*args, **kwargs)

    def infer() -> object:
        with torch.no_grad():
            return forward(runs)

    def train() -> object:
        for parameter in module.parameters():
            # As optimisers do by default since torch 2.0; adding to a gradient would be one more kernel.
            parameter.grad = None
        with torch.enable_grad():
            loss = _compute_loss(forward(runs))
        loss.backward()  # type: ignore[no-untyped-call]
        # Without its graph of autograd, whose nodes would be found again by the next batch of the module, on
        # another stream than the one that they were made on.
        return loss.detach()

    def call() -> object:
        with torch.no_grad():
            return forward(module)

    step: Step = train if configuration.training else infer
    if configuration.mode in COMPILE_MODES:
        _finish_compiling(step, configuration.mode)
    if configuration.mode == "cuda-graph":
        step = _capture_graph(step, torch.device(configuration.device))
    return PreparedModel(
        step=step, module=module, call=call, cold_l2=configuration.cold_l2, held_before=held_before
    )


def adapt_module(module: nn.Module, configuration: Configuration) -> nn.Module:
    """Move a module to the device, dtype and layout of a configuration, in place."""
    module = module.to(torch.device(configuration.device))
    if not configuration.autocast:
        module = module.to(getattr(torch, configuration.dtype))
    if configuration.memory_format != "contiguous":
        module = module.to(memory_format=MEMORY_FORMATS[configuration.memory_format])
    return module


def adapt_inputs(inputs: Any, configuration: Configuration) -> Any:  # noqa: ANN401 - any nesting of containers
    """Copy inputs to the device, dtype and layout of a configuration; the caller's own stay as they are."""
    memory_format = MEMORY_FORMATS[configuration.memory_format]
    cast = None if configuration.autocast else getattr(torch, configuration.dtype)

    def copy_tensor(tensor: Tensor) -> Tensor:
        dtype = cast if cast is not None and tensor.is_floating_point() else tensor.dtype
        moved = tensor.detach().to(configuration.device, dtype, copy=True)
        # channels_last exists only for four dimensions.
        return moved.to(memory_format=memory_format) if moved.dim() == 4 else moved

    return tree_map_only(Tensor, copy_tensor, inputs)


def randomize_inputs(inputs: Any) -> Any:  # noqa: ANN401
    """Replace floating-point zeros by random numbers, always the same ones.

    A GPU draws less power for zeros and clocks higher, so they would be measured too fast.
    """
    generator = torch.Generator().manual_seed(SEED)

    def fill(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point() or tensor.any():
            return tensor
        return torch.randn(tensor.shape, generator=generator).to(tensor.dtype)

    return tree_map_only(Tensor, fill, inputs)


def copy_with_weights(module: nn.Module, device: str) -> nn.Module:
    """Copy a module with its weights; if they are on meta, the copy gets random ones on a device.

    Args:
        module: the module, which is left as it is.
        device: where the random weights are put.
    """
    duplicate = copy.deepcopy(module)
    tensors = [*duplicate.parameters(), *duplicate.buffers()]
    if not any(tensor.is_meta for tensor in tensors):
        return duplicate
    duplicate = duplicate.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(SEED)
    with torch.no_grad():
        for tensor in duplicate.parameters():
            if tensor.is_floating_point():
                tensor.normal_(std=0.02, generator=generator)
        for buffer in duplicate.buffers():
            # A running variance must be positive, a table of positions within bounds.
            buffer.fill_(1 if buffer.is_floating_point() else 0)
    # A module that knows how to initialise its weights replaces the ones above.
    for owner in duplicate.modules():
        if callable(reset := getattr(owner, "reset_parameters", None)):
            reset()
    return duplicate


def _autocast(configuration: Configuration) -> AbstractContextManager[object]:
    if not configuration.autocast:
        return nullcontext()
    return torch.autocast(
        torch.device(configuration.device).type,
        dtype=getattr(torch, configuration.dtype),
        # Casts that were cached while capturing would be missing when the graph is replayed.
        cache_enabled=configuration.mode != "cuda-graph",
    )


def _compute_loss(outputs: Any) -> Tensor:  # noqa: ANN401
    """Compute the simplest loss there is: every floating-point output takes part, none costs much."""
    floats = [
        leaf
        for leaf in tree_leaves(outputs)
        if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.requires_grad
    ]
    if not floats:
        raise RuntimeError("no output of the model requires a gradient, so there is no training step")
    return torch.stack([leaf.float().mean() for leaf in floats]).sum()


def _compile_module(module: nn.Module, mode: Mode) -> Callable[..., Any]:
    """Compile a module, where the mode says so; that happens when it first runs."""
    if mode not in COMPILE_MODES:
        return module
    # Else torch compiles the second batch size for any size, and times could not be compared.
    return torch.compile(module, dynamic=False, mode=COMPILE_MODES[mode])


def _finish_compiling(step: Step, mode: Mode) -> None:
    """Run a compiled step until nothing is left to be done but once."""
    with _allow_recompiling(), _silence_autotuning():
        step()
    # Torch runs what it has compiled once more before it captures that, and replays from the third run on.
    for _ in range(2 if mode in CAPTURING_MODES else 0):
        step()


@contextmanager
def _allow_recompiling() -> Iterator[None]:
    """Let one function be compiled again for every model and batch.

    Models of one class share their forward's code, and torch falls back to eager without a
    word after a few versions of it: such a time would stand under the wrong name.
    """
    from torch._dynamo import config

    limits: dict[str, Any] = {
        name: 4096
        for name in ("recompile_limit", "accumulated_recompile_limit", "cache_size_limit")
        if hasattr(config, name)
    }
    with config.patch(limits):
        yield


@contextmanager
def _silence_autotuning() -> Iterator[None]:
    """Let torch not print to stderr how long each kernel took that it tried."""
    from torch._inductor import select_algorithm

    shown = select_algorithm.PRINT_AUTOTUNE
    select_algorithm.PRINT_AUTOTUNE = False
    try:
        yield
    finally:
        select_algorithm.PRINT_AUTOTUNE = shown


def _capture_graph(step: Step, device: torch.device) -> Step:
    """Capture the kernels of a step as one CUDA graph, after the warm-up that capture needs.

    The warm-up runs three times on a side stream, as torch's notes on CUDA graphs have it; the capture is on
    the same one, as torch's own stream for captures belongs to the device of the process's first.

    Raises:
        CaptureError: the step cannot be captured.
    """
    with torch.cuda.device(device):
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(3):
                step()
        torch.cuda.current_stream(device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with _pause_garbage_collection(), torch.cuda.graph(graph, stream=stream):
                output = step()
        except RuntimeError as error:
            raise CaptureError(str(error)) from error

    def replay() -> object:
        graph.replay()
        # The graph writes into it, so it lives as long as the step.
        return output

    return replay


@contextmanager
def _pause_garbage_collection() -> Iterator[None]:
    """Collect nothing: a Triton kernel that is collected unloads its module, which no capture allows."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
