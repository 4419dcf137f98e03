"""Measuring the memory of a pass: the model's copy, the pass, and what is said of both."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from resflops.errors import DataDependentError, ResflopsError, TraceError, describe_error
from resflops.peak_memory.checkpointing import select_checkpointed
from resflops.peak_memory.options import Options
from resflops.peak_memory.records import Memory
from resflops.tracing.failures import UndecidedError, needs_values, refuses_sizes
from resflops.tracing.inputs import Reading
from resflops.tracing.memory.copies import copy_as_fakes, make_inputs
from resflops.tracing.memory.device_kernels import attend, choose_kernels
from resflops.tracing.memory.eager_path import stay_on_eager_path
from resflops.tracing.memory.known_values import forget_dead_tensors
from resflops.tracing.memory.multihead_attention import use_fused_attention
from resflops.tracing.memory.quiet_fakes import quiet_fakes
from resflops.tracing.memory.running_layer import RunningLayer
from resflops.tracing.memory.training import (
    checkpoint_modules,
    find_scores,
    make_optimizer,
    make_targets,
    run_backward,
    take_loss,
)
from resflops.tracing.memory.watch import StorageWatch
from resflops.tracing.meta import find_tensors
from resflops.tracing.model_copies import copy_whole, copy_with_shapes, ensure_on_cpu
from resflops.tracing.modules import DTYPE_NAMES, Modules
from resflops.tracing.observers import InputValues
from resflops.tracing.preserve_state import preserve_state
from resflops.tracing.running import describe_call
from resflops.tracing.trace import check_module, observe_input_values, record_inputs

__all__ = ["measure_memory"]

Loss = Callable[[Any], Tensor]


def measure_memory(
    model: nn.Module, reading: Reading, options: Options, *, loss: Loss | None = None, real: bool = False
) -> Memory:
    """Measure what memory a pass needs, by running the model on shapes with every storage watched.

    The model is copied, and the copy holds fake tensors; where its path depends on values, the copy runs for
    real on the CPU, and the result says so.

    Args:
        model: any module, on any device.
        reading: the arguments to call it with.
        options: how it is run.
        loss: the loss of an output; None for that of the options.
        real: whether to run real kernels from the start.

    Raises:
        TraceError: the model failed, or cannot be copied.
        UsageError: a layer that was to be checkpointed is not there.
    """
    check_module(model)
    modules = Modules(model)
    if modules.lazy:
        modules = Modules(copy_with_shapes(model, reading.args, reading.kwargs), copied=True)
    if real:
        return _Pass(modules, reading, options, loss).run_for_real(())
    pass_on_shapes = _Pass(modules, reading, options, loss)
    try:
        return pass_on_shapes.run_on_shapes(knowing=False)
    except DataDependentError:
        pass
    except UndecidedError as error:
        return pass_on_shapes.decide(error)
    try:
        return pass_on_shapes.run_on_shapes(knowing=True)
    except DataDependentError as error:
        note = f"run for real on the CPU, since shapes alone do not determine its path: {error}"
        return pass_on_shapes.run_for_real((note,))
    except UndecidedError as error:
        return pass_on_shapes.decide(error)


_MOST_TO_RUN = 1 << 28
"""The most elements of a model that is run for real to see if it fails there, too: a GiB in float32."""

_VALUE_ERRORS = ("DataDependentOutputException", "DynamicOutputShapeException")
"""What fake tensors raise where an op needs values."""


class _Pass:
    """One model on one input, to be run in one way or another."""

    def __init__(self, modules: Modules, reading: Reading, options: Options, loss: Loss | None) -> None:
        self.modules, self.reading, self.options, self.loss = modules, reading, options, loss
        dtype = None if options.autocast or not options.dtype else getattr(torch, options.dtype)
        self.dtype: torch.dtype | None = dtype
        records = modules.records
        self.checkpointed = select_checkpointed(records, options.checkpointing)
        self.targets: Tensor | None = None

    def run_on_shapes(self, *, knowing: bool) -> Memory:
        """Run on fake tensors; if ``knowing``, with the values of whole-numbered inputs."""
        mode = FakeTensorMode(allow_non_fake_inputs=True)
        with preserve_state(self.modules, keep_values=False):
            copied = copy_as_fakes(self.modules, mode, self.dtype)
            with mode:
                args = make_inputs(self.reading.args, self.dtype)
                kwargs = make_inputs(self.reading.kwargs, self.dtype)
            values = (
                forget_dead_tensors(observe_input_values(self.reading, args, kwargs)) if knowing else None
            )
            return self._run(copied, args, kwargs, mode=mode, values=values, notes=())

    def decide(self, failure: UndecidedError) -> Memory:
        """Run for real what failed on shapes, if that is cheap: a kernel may take what a stand-in refuses.

        Raises:
            TraceError: it fails there, too, or is too large to find out.
        """
        if sum(parameter.numel() for parameter in self.modules.model.parameters()) > _MOST_TO_RUN:
            raise TraceError(str(failure)) from failure.__cause__
        return self.run_for_real((f"run for real on the CPU, since it failed on shapes: {failure}",))

    def run_for_real(self, notes: tuple[str, ...]) -> Memory:
        """Run real kernels on the CPU, on a copy of the model."""
        with preserve_state(self.modules, keep_values=False):
            model = ensure_on_cpu(self.modules.model)
            copied = model if model is not self.modules.model else copy_whole(self.modules)
            if copied is None:
                raise TraceError(f"{type(model).__name__} cannot be copied, which a real run of it needs")
            if self.dtype is not None:
                copied = copied.to(self.dtype)
            args, kwargs = (
                make_inputs(self.reading.args, self.dtype),
                make_inputs(self.reading.kwargs, self.dtype),
            )
            return self._run(copied, args, kwargs, mode=None, values=None, notes=notes)

    def _run(
        self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], *,
        mode: FakeTensorMode | None, values: InputValues | None, notes: tuple[str, ...],
    ) -> Memory:  # fmt: skip
        options = self.options
        _set_modes(model, training=options.training)
        records = record_inputs(args, kwargs)
        own = _list_own(model)
        running = RunningLayer(model)
        if options.device == "cuda" and not options.training:
            use_fused_attention(model, partial(attend, options.attention))
        checkpoint_modules(model, self.checkpointed)
        watch = StorageWatch(running, fake=mode is not None, on_gpu=options.device == "cuda")
        try:
            with ExitStack() as stack:
                stack.enter_context(torch.inference_mode(mode=False))
                stack.enter_context(torch.set_grad_enabled(options.training))
                if mode is not None:
                    stack.enter_context(quiet_fakes())
                    stack.enter_context(stay_on_eager_path())
                    stack.enter_context(mode)
                optimizer = make_optimizer(model.parameters(), options) if options.optimizer else None
                watch.hold(
                    ((p, layer, name) for p, layer, name in own if isinstance(p, nn.Parameter)), "parameters"
                )
                watch.hold(
                    ((b, layer, name) for b, layer, name in own if not isinstance(b, nn.Parameter)), "buffers"
                )
                if optimizer is not None:
                    watch.hold(_list_state(optimizer, own, options), "optimizer")
                watch.hold(((tensor, "", "input") for tensor in find_tensors((args, kwargs))), "input")
                stack.enter_context(watch)
                if values is not None:
                    stack.enter_context(values)
                stack.enter_context(choose_kernels(options))
                self._step(model, args, kwargs, watch, optimizer)
        except ResflopsError:
            raise
        except (Exception, SystemExit) as error:
            called = describe_call(self.modules.model, args, kwargs)
            words = f"{called} raised {describe_error(error)}"
            if mode is not None and (needs_values(error) or type(error).__name__ in _VALUE_ERRORS):
                raise DataDependentError(words) from error
            decided = mode is None or refuses_sizes(error)
            raise (TraceError if decided else UndecidedError)(words) from error
        return Memory(
            model=type(self.modules.root).__name__,
            inputs=records,
            steps=tuple(watch.steps),
            blocks=watch.list_blocks(),
            training=options.training,
            optimizer=options.optimizer,
            dtype=options.dtype or DTYPE_NAMES[_find_dtype(model)],
            autocast=options.autocast,
            checkpointing=self.checkpointed,
            attention=options.attention or "",
            device=options.device,
            method="real" if mode is None else "shapes",
            notes=(*notes, *_describe_hidden(watch)),
        )

    def _step(
        self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], watch: StorageWatch,
        optimizer: torch.optim.Optimizer | None,
    ) -> None:  # fmt: skip
        """Run what is watched. No variable here holds an output longer than a plain training loop does."""
        with _autocast(self.options):
            if not self.options.training:
                model(*args, **kwargs)
                return
            loss = self._take_loss(model(*args, **kwargs), watch)
        watch.begin("backward")
        run_backward(loss.sum() if loss.dim() else loss)
        watch.name_gradients(p.grad for p in model.parameters() if p.grad is not None)
        if optimizer is not None:
            watch.begin("optimizer")
            optimizer.step()

    def _take_loss(self, output: Any, watch: StorageWatch) -> Tensor:
        """Take the loss of an output; what its scores are compared with is an input like the others."""
        targets = None
        by_scores = self.loss is None and self.options.loss == "cross-entropy"
        if by_scores and (scores := find_scores(output)) is not None:
            with watch.pause():
                targets = make_targets(scores)
            watch.hold([(targets, "", "targets")], "input")
            # In a loop over batches they are there until the next one.
            self.targets = targets
        return take_loss(output, targets, self.loss)


def _describe_hidden(watch: StorageWatch) -> tuple[str, ...]:
    """Describe what fake tensors do not show."""
    if not watch.hidden:
        return ()
    ops = ", ".join(sorted(watch.hidden))
    return (
        f"not included: the workspace that {ops} keeps for the backward pass, which only its kernel knows",
    )


def _set_modes(model: nn.Module, *, training: bool) -> None:
    """Put a copy into training or eval mode; one that trains already keeps the modes of its parts."""
    if model.training is not training:
        model.train(training)


@contextmanager
def _autocast(options: Options) -> Iterator[None]:
    if not options.autocast:
        yield
        return
    with torch.autocast("cpu", getattr(torch, options.dtype)):
        yield


def _list_own(model: nn.Module) -> list[tuple[Tensor, str, str]]:
    """List parameters and buffers, each once, with the module that has it and its name there."""
    return [
        (tensor, layer, name)
        for layer, module in model.named_modules()
        for name, tensor in (
            *module.named_parameters(recurse=False, remove_duplicate=False),
            *module.named_buffers(recurse=False, remove_duplicate=False),
        )
    ]


def _list_state(
    optimizer: torch.optim.Optimizer, own: Iterable[tuple[Tensor, str, str]], options: Options
) -> Iterator[tuple[Tensor, str, str]]:
    """List what an optimiser keeps of each parameter; on a GPU its counts of steps are not there."""
    for parameter, layer, name in own:
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor) and (value.dim() or options.device == "cpu"):
                yield value, layer, f"{name}: {key}"


def _find_dtype(model: nn.Module) -> torch.dtype:
    floating = (p.dtype for p in model.parameters() if p.is_floating_point())
    return next(floating, torch.get_default_dtype())
