"""Tracing: one forward pass of a model, recorded."""

import reprlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten_with_path

import resflops.tracing.transforms  # noqa: F401 - registers its redirections
from resflops.errors import DataDependentError, InputError, ResflopsError, TraceError, describe_error
from resflops.records import Execution, InputRecord, Trace
from resflops.tracing.custom_modules import record_custom_calls
from resflops.tracing.failures import needs_values
from resflops.tracing.flex import disable_flex_compile
from resflops.tracing.inputs import as_tensors, is_shape
from resflops.tracing.meta import META, find_tensors
from resflops.tracing.model_copies import copy_with_shapes, ensure_on_cpu
from resflops.tracing.modules import DTYPE_NAMES, Modules
from resflops.tracing.observers import InputValues, WeightZeros, check_values
from resflops.tracing.preserve_state import preserve_state
from resflops.tracing.recorder import Recorder
from resflops.tracing.redirections import redirect_calls

__all__ = ["check_module", "trace"]


def trace(
    model: nn.Module, *inputs: Any, real: bool = False, nonzero: bool = False, **keyword_inputs: Any
) -> Trace:
    """Record every op of one forward pass.

    Nothing is computed: the pass runs on tensors that have shapes and no elements. The model stays where it
    is, in eval or training mode as it is. Its parameters, buffers, attributes and hooks and the random number
    generators are as before afterwards, also when its forward raises.

    A model whose path depends on the values of its tensors (``.item()``, detection, routing) cannot be
    traced on shapes. It then runs for real, on the CPU, and the trace's ``execution`` and ``notes`` say so.

    Args:
        model: any module, on any device.
        inputs: the positional arguments of the model. A tuple of ints is the shape of a float32 tensor.
        real: whether to run every kernel from the start, on the model's device. A shape then stands for a
            tensor of zeros.
        nonzero: whether to count the zeros in the weights of each op, too, as ``weights``.
        keyword_inputs: the keyword arguments of the model.

    Returns:
        The trace, which is plain data and holds no tensors.

    Raises:
        InputError: a shape with a size below one, or too large for torch.
        TraceError: the forward pass failed; the message names the layer and the op.
        UsageError: ``nonzero`` was asked of a model on the meta device, whose weights have no values.
    """
    check_module(model)
    modules = Modules(model)
    if modules.lazy:
        modules = Modules(copy_with_shapes(model, inputs, keyword_inputs))
    if nonzero:
        check_values(modules.model)
    if real:
        device = _find_device(modules.model)
        return _record_pass(modules, inputs, keyword_inputs, device=device, execution="real", nonzero=nonzero)
    try:
        return _record_pass(modules, inputs, keyword_inputs, device=META, execution="meta", nonzero=nonzero)
    except DataDependentError:
        # Most text models only look into their tokens and masks, whose values the caller has given. Not the
        # first attempt, since following values takes time that most models need not spend.
        pass
    try:
        return _record_pass(
            modules, inputs, keyword_inputs,
            device=META, execution="meta", nonzero=nonzero, looking_at_inputs=True,
        )  # fmt: skip
    except DataDependentError as error:
        note = f"run for real on the CPU, since shapes do not tell its path: {error}"
    runnable = Modules(ensure_on_cpu(modules.model))
    return _record_pass(
        runnable, inputs, keyword_inputs, device=torch.device("cpu"), execution="real", nonzero=nonzero,
        notes=(note, *_describe_zeros(inputs, keyword_inputs)),
    )  # fmt: skip


def check_module(model: object) -> None:
    """Refuse an object that is not a module, such as a model's name.

    Raises:
        TraceError: the object is not a torch.nn.Module.
    """
    if not isinstance(model, nn.Module):
        raise TraceError(
            f"model must be a torch.nn.Module, got {model!r:.80}; resflops.load builds one by its name"
        )


def _record_pass(
    modules: Modules,
    inputs: tuple[Any, ...],
    keyword_inputs: dict[str, Any],
    *,
    device: torch.device,
    execution: Execution,
    nonzero: bool,
    looking_at_inputs: bool = False,
    notes: tuple[str, ...] = (),
) -> Trace:
    model = modules.model
    args, kwargs = as_tensors(inputs, device), as_tensors(keyword_inputs, device)
    real = execution == "real"
    values = _observe_input_values(inputs, keyword_inputs, args, kwargs) if looking_at_inputs else None
    zeros = WeightZeros(model) if nonzero else None
    observers = [observer for observer in (values, zeros) if observer is not None]
    recorder = Recorder(modules, real=real, observers=observers)
    recorder.take_inputs(find_tensors((args, kwargs)))
    with (
        preserve_state(modules, keep_values=real) as drawn,
        torch.no_grad(),
        disable_flex_compile(),
        record_custom_calls(recorder) as custom_calls,
        redirect_calls(recorder),
    ):
        outputs = recorder.find_makers(find_tensors(_run_model(model, args, kwargs, recorder)))
    joined = custom_calls.join(outputs)
    # Only now. Until the producers of the outputs had been looked up, no other trace could be lent a blank:
    # its id would have stood for two tensors.
    recorder.meta_pool.take_back()
    return Trace(
        model=type(model).__name__,
        inputs=_record_inputs(args, kwargs),
        modules=modules.records,
        ops=joined.ops,
        execution=execution,
        notes=(
            *notes,
            *(_describe_assumptions(values) if values is not None else ()),
            # A real run draws torch's for every dropout; that its path depends on values is said already.
            *_describe_draws([name for name in drawn if not (real and name == "torch")]),
        ),
        stages=_read_stages(model),
        torch_version=str(torch.__version__),
        tells_parameters=True,
        outputs=joined.outputs,
        weights=None if zeros is None else joined.renumber(zeros.count_weights()),
    )


def _observe_input_values(
    inputs: tuple[Any, ...], keyword_inputs: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> InputValues:
    """Make an observer that knows the values of the whole-numbered inputs."""
    known = InputValues()
    for name, item, made in _pair_arguments(inputs, keyword_inputs, args, kwargs):
        # as_tensors keeps the order of tensors, so the three lists go in step.
        (values,) = as_tensors((item,), torch.device("cpu"))
        for tensor, value, given in zip(*map(find_tensors, (made, values, item)), strict=True):
            if not tensor.is_floating_point() and not tensor.is_complex():
                assumed = frozenset([name]) if given.is_meta else frozenset[str]()
                known.remember(tensor, value, assumed=assumed)
    return known


def _pair_arguments(
    inputs: tuple[Any, ...], keyword_inputs: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Pair the arguments, but for shapes: each one's name, what the caller gave, and what the model takes."""
    given, taken = [*enumerate(inputs), *keyword_inputs.items()], [*args, *kwargs.values()]
    for (name, item), made in zip(given, taken, strict=True):
        if not is_shape(item):
            yield str(name), item, made


def _describe_assumptions(values: InputValues) -> tuple[str, ...]:
    """Say what a trace on shapes assumes about inputs whose values were not given."""
    names = sorted(values.relied_on)
    return (f"its path depends on the values of {_join_names(names)}: {_ZEROS}",) if names else ()


def _describe_zeros(inputs: tuple[Any, ...], keyword_inputs: dict[str, Any]) -> tuple[str, ...]:
    """Say what a real run assumes about inputs whose values were not given."""
    given = [*enumerate(inputs), *keyword_inputs.items()]
    names = [
        str(name) for name, item in given if is_shape(item) or any(t.is_meta for t in find_tensors(item))
    ]
    return (f"it was run on {_join_names(names)}: {_ZEROS}",) if names else ()


def _describe_draws(drawn: list[str]) -> tuple[str, ...]:
    """Say whose random numbers a pass drew: a number of Python's may decide which layers are called."""
    names = " and ".join(drawn)
    return (f"it draws random numbers from {names}, on which its path may depend",) if drawn else ()


_ZEROS = "given without values, taken as zeros"


def _join_names(names: list[str]) -> str:
    return ", ".join(f"input {name}" if name.isdecimal() else name for name in names)


def _run_model(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder) -> Any:
    try:
        with recorder:
            return model(*args, **kwargs)
    except TraceError as error:
        raise type(error)(f"{_describe_call(model, args, kwargs)}: {error}") from error.__cause__
    except ResflopsError:
        raise
    # A forward pass may raise anything, and may call exit().
    except (Exception, SystemExit) as error:
        if needs_values(error):
            raise DataDependentError(
                f"{_describe_call(model, args, kwargs)} raised {describe_error(error)}"
            ) from error
        if (args or kwargs) and next(find_tensors((args, kwargs)), None) is None:
            raise _make_input_error(model, [*args, *kwargs.values()], error) from error
        raise TraceError(f"{_describe_call(model, args, kwargs)} raised {describe_error(error)}") from error


def _make_input_error(model: nn.Module, given: list[Any], error: BaseException) -> InputError:
    """Build the error for inputs without a tensor, most likely a shape that was not given as a tuple.

    It is raised only after the pass has failed, since a model may take such inputs.
    """
    # Torch's message then lists all signatures that it would accept.
    reason = describe_error(error).partition(", but expected one of")[0]
    sizes = tuple(given[0]) if isinstance(given[0], list) else tuple(given)
    example = sizes if is_shape(sizes) else (1, 3, 224, 224)
    return InputError(
        f"{type(model).__name__} was given {', '.join(reprlib.repr(item) for item in given)}, which is "
        f"neither a tensor nor a shape, and raised {reason}; give a shape as a tuple of ints, as in {example}"
    )


def _describe_call(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    shapes = ", ".join("×".join(map(str, tensor.shape)) for tensor in find_tensors((args, kwargs)))
    return f"{type(model).__name__} on input {shapes or '()'}"


def _find_device(model: nn.Module) -> torch.device:
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.device == META:
            raise TraceError(
                f"{type(model).__name__} is on the meta device, where nothing can run for real; "
                "load it with device='cpu'"
            )
        return tensor.device
    return torch.device("cpu")


def _record_inputs(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[InputRecord, ...]:
    records = []
    for place, item in [*enumerate(args), *kwargs.items()]:
        leaves, _ = tree_flatten_with_path(item)
        for path, leaf in leaves:
            if isinstance(leaf, Tensor):
                name = ".".join([str(place), *(_name_step(step) for step in path)])
                records.append(InputRecord(name=name, shape=tuple(leaf.shape), dtype=DTYPE_NAMES[leaf.dtype]))
    return tuple(records)


def _name_step(step: Any) -> str:
    return str(getattr(step, "key", getattr(step, "idx", getattr(step, "name", step))))


def _read_stages(model: nn.Module) -> dict[str, str]:
    # A protocol for any network, not only ours: an attribute that maps module paths to stages.
    stages = getattr(model, "resflops_stages", None)
    return dict(stages) if isinstance(stages, Mapping) else {}
