"""One forward pass, recorded."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten_with_path

from resflops.errors import InputError, ResflopsError, TraceError
from resflops.records import InputRecord, Shape, Trace
from resflops.tracing.borrowed import borrowed
from resflops.tracing.meta import META, on_meta, tensors_in
from resflops.tracing.modules import DTYPE_NAMES, module_records, modules_by_path
from resflops.tracing.recorder import Recorder

__all__ = ["trace"]


def trace(model: nn.Module, *inputs: Any, real: bool = False, **keyword_inputs: Any) -> Trace:
    """Record every op of one forward pass.

    Nothing is computed: the pass runs on tensors that have shapes and no elements. The
    model stays where it is and as it is, in eval or training mode as it stands; its
    parameters, buffers, attributes, hooks and the random number generators are
    untouched, also when its forward raises.

    Args:
        model: any module, on any device.
        inputs: what the model takes. A tuple of ints is the shape of a float32 tensor.
        real: run every kernel instead, on the model as it is and on real inputs; a shape
            then stands for a tensor of zeros. For comparison, and for models whose path
            depends on data.
        keyword_inputs: what the model takes by keyword.

    Returns:
        The trace: plain data.

    Raises:
        InputError: a shape with a size below one, or too large for torch.
        TraceError: the forward pass failed; the message names the layer and the op.
    """
    if not isinstance(model, nn.Module):
        raise TraceError(f"trace() takes a torch.nn.Module, and this is a {type(model).__name__}")
    modules = modules_by_path(model)
    device = META if not real else _device_of(model)
    args, kwargs = _as_tensors((inputs, keyword_inputs), device, real=real)
    recorder = Recorder(modules, real=real)
    recorder.take_inputs(tensors_in((args, kwargs)))
    records = tuple(module_records(modules))
    with borrowed(modules.values(), keep_values=real), torch.no_grad():
        _run(model, args, kwargs, recorder)
    return Trace(
        model=type(model).__name__,
        inputs=_input_records(args, kwargs),
        modules=records,
        ops=tuple(recorder.ops),
        execution="real" if real else "meta",
        stages=_stages(model),
        torch_version=str(torch.__version__),
    )


def _run(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder) -> None:
    try:
        with recorder:
            model(*args, **kwargs)
    except TraceError as error:
        raise type(error)(f"{_call(model, args, kwargs)}: {error}") from error.__cause__
    except ResflopsError:
        raise
    except Exception as error:
        raise TraceError(f"{_call(model, args, kwargs)} raised {type(error).__name__}: {error}") from error


def _call(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    shapes = ", ".join("×".join(map(str, tensor.shape)) for tensor in tensors_in((args, kwargs)))
    return f"{type(model).__name__} on input {shapes or '()'}"


def _as_tensors(value: Any, device: torch.device, *, real: bool) -> Any:
    """Shapes made tensors, and in a meta trace real tensors made meta ones."""
    shaped = _shapes_to_tensors(value, device, real=real)
    return shaped if real else on_meta(shaped, {})


def _shapes_to_tensors(value: Any, device: torch.device, *, real: bool) -> Any:
    args, kwargs = value

    def tensor(item: Any) -> Any:
        return _zeros(item, device, real=real) if _is_shape(item) else item

    return tuple(tensor(item) for item in args), {name: tensor(item) for name, item in kwargs.items()}


def _is_shape(item: Any) -> bool:
    return (
        isinstance(item, tuple)
        and bool(item)
        and all(isinstance(size, int) and not isinstance(size, bool) for size in item)
    )


def _zeros(shape: Shape, device: torch.device, *, real: bool) -> Tensor:
    if min(shape) < 1:
        raise InputError(f"input shape {'×'.join(map(str, shape))}: every size must be at least 1")
    make = torch.zeros if real else torch.empty
    try:
        return make(shape, dtype=torch.float32, device=device)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"input shape {'×'.join(map(str, shape))} is larger than torch can address; give a smaller one"
        ) from error


def _device_of(model: nn.Module) -> torch.device:
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.device == META:
            raise TraceError(
                f"{type(model).__name__} is on the meta device, where nothing can run for real; "
                "load it with device='cpu'"
            )
        return tensor.device
    return torch.device("cpu")


def _input_records(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[InputRecord, ...]:
    records = []
    for place, item in [*enumerate(args), *kwargs.items()]:
        leaves, _ = tree_flatten_with_path(item)
        for path, leaf in leaves:
            if isinstance(leaf, Tensor):
                name = ".".join([str(place), *(_key(step) for step in path)])
                records.append(InputRecord(name=name, shape=tuple(leaf.shape), dtype=DTYPE_NAMES[leaf.dtype]))
    return tuple(records)


def _key(step: Any) -> str:
    return str(getattr(step, "key", getattr(step, "idx", getattr(step, "name", step))))


def _stages(model: nn.Module) -> dict[str, str]:
    # A protocol for any network, not only ours: an attribute that maps module paths to stages.
    stages = getattr(model, "resflops_stages", None)
    return dict(stages) if isinstance(stages, Mapping) else {}
