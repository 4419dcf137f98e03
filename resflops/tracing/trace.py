"""Tracing: one forward pass of a model, recorded."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten_with_path, tree_leaves

from resflops.errors import DataDependentError, InputError, ResflopsError, ShapeError, TraceError
from resflops.process.garbage import allow_collection, delay_collection
from resflops.records import Execution, InputRecord, TensorSpec, Trace

# They register their redirections.
from resflops.tracing import causal_bias, compiled_parts, control_flow, detection, transforms  # noqa: F401
from resflops.tracing.autograd_pass import Autograd, AutogradNeeded, GradientAsked, require_like
from resflops.tracing.custom_modules import record_custom_calls
from resflops.tracing.distributed import (
    DistributedRecorder,
    check_real_run,
    describe_rank,
    is_distributed,
    list_local_records,
    unshard,
)
from resflops.tracing.failures import LayoutDependentError, UndecidedError
from resflops.tracing.flex import disable_flex_compile
from resflops.tracing.formats import find_stored_shape, list_wrapped
from resflops.tracing.hooks import preserve_hooks
from resflops.tracing.inputs import Reading, as_tensors, find_held, list_readings
from resflops.tracing.kernels import find_kernels
from resflops.tracing.meta import META, find_tensors
from resflops.tracing.model_copies import (
    CPU,
    check_worth_running,
    copy_sharing_tensors,
    copy_whole,
    copy_with_shapes,
    ensure_on_cpu,
)
from resflops.tracing.modules import DTYPE_NAMES, Modules
from resflops.tracing.observers import InputValues, Lifetimes, WeightZeros, check_values
from resflops.tracing.other_threads import are_others_running
from resflops.tracing.preserve_state import preserve_state
from resflops.tracing.recorder import Recorder
from resflops.tracing.redirections import redirect_calls
from resflops.tracing.repeated_pass import repeat_if_needed
from resflops.tracing.running import run_model
from resflops.tracing.stock_layers import record_stock_layers
from resflops.tracing.torchscript import describe_unseen
from resflops.tracing.worker_threads import note_unseen

__all__ = ["check_module", "observe_input_values", "record_inputs", "resolve_inputs", "trace"]


def trace(
    model: nn.Module,
    *inputs: Any,
    real: bool = False,
    nonzero: bool = False,
    lifetimes: bool = False,
    **keyword_inputs: Any,
) -> Trace:
    """Record every op of one forward pass.

    Nothing is computed: the pass runs on tensors that have shapes and no elements. The model stays where it
    is, in eval or training mode as it is. Its parameters, buffers, attributes and hooks and the random number
    generators are as before afterwards, also when its forward raises.

    A model whose path depends on the values of its tensors (``.item()``, routing) cannot be traced on shapes.
    It then runs for real, on the CPU, and the trace's ``execution`` and ``notes`` say so. torchvision's
    detectors do so if they have weights; without, they are taken to find as much as they keep.

    Args:
        model: any module, on any device.
        inputs: the positional arguments of the model. A tuple of ints is the shape of a tensor in the
            model's floating-point type; :func:`resflops.shape` says the same anywhere, and of other types.
        real: whether to run every kernel from the start, on the model's device. A shape then stands for a
            tensor of zeros.
        nonzero: whether to count the zeros in the weights of each op, too, as ``weights``.
        lifetimes: whether to find out what the model's own variables hold longer than it is used, too, as
            ``held_until``. A real run does not tell.
        keyword_inputs: the keyword arguments of the model.

    Returns:
        The trace, which is plain data and holds no tensors.

    Raises:
        InputError: a shape with a size below one, or too large for torch.
        TraceError: the forward pass failed; the message names the layer and the op.
        UsageError: ``nonzero`` was asked of a model on the meta device, whose weights have no values.
    """
    check_module(model)
    if nonzero:
        check_values(model)
    readings = list_readings(model, inputs, keyword_inputs)
    if real:
        return _run_for_real(model, readings, nonzero=nonzero)
    errors: list[TraceError | InputError] = []
    for reading in readings:
        try:
            return _trace_on_shapes(model, reading, nonzero=nonzero, lifetimes=lifetimes)
        # InputError: none of what it was given, as it stands, is a tensor.
        except (TraceError, InputError) as error:
            errors.append(error)
    reading, reason = _choose_reading(readings, errors)
    check_worth_running(model, reason)
    check_real_run(model)
    note = f"run for real on the CPU, since shapes alone do not determine its path: {reason}"
    runnable = _copy_to_run(_make_shapes_known(model, reading), on_cpu=True)
    notes = (note, *_describe_zeros(reading))
    return _record_pass(runnable, reading, device=CPU, execution="real", nonzero=nonzero, notes=notes)


Failure = TypeVar("Failure", bound=ResflopsError)


def _choose_reading(readings: list[Reading], errors: Sequence[Failure]) -> tuple[Reading, Failure]:
    """Choose the reading that is meant where none can be traced on shapes.

    One that is known to need values is. So is a call in the form of another counter, if all that is wrong
    with it are the shapes: as it stands it fails, too, but for the form.
    """
    pairs = list(zip(readings, errors, strict=True))
    by_values = (pair for pair in pairs if isinstance(pair[1], DataDependentError))
    by_form = (pair for pair in pairs if pair[0].translated and isinstance(pair[1], ShapeError))
    return next(by_values, None) or next(by_form, None) or pairs[0]


def resolve_inputs(
    model: nn.Module, inputs: tuple[Any, ...], keyword_inputs: dict[str, Any], *, foreign: bool = True
) -> Reading:
    """Find out which tuples of a call are shapes; where only a trace can tell, by a trace.

    Args:
        model: the model that is called.
        inputs: its positional arguments.
        keyword_inputs: its keyword arguments.
        foreign: whether the call may be in the form of another counter, as a user's may.
    """
    readings = list_readings(model, inputs, keyword_inputs, foreign=foreign)
    if len(readings) == 1:
        return readings[0]
    errors: list[ResflopsError] = []
    for reading in readings:
        # Each as it stands: a call of trace would try the other readings as well.
        try:
            _trace_on_shapes(model, reading, nonzero=False, lifetimes=False)
        except ResflopsError as error:
            errors.append(error)
        else:
            return reading
    return _choose_reading(readings, errors)[0]


def _trace_on_shapes(model: nn.Module, reading: Reading, *, nonzero: bool, lifetimes: bool) -> Trace:
    """Trace without a kernel: as fast as can be, then with what the model turns out to depend on."""
    modules = _copy_if_needed(_make_shapes_known(model, reading))
    strided = looking = False
    while True:
        try:
            return _record_pass(
                modules, reading,
                device=META, execution="meta", nonzero=nonzero, lifetimes=lifetimes, strided=strided,
                looking_at_inputs=looking,
            )  # fmt: skip
        # Not from the start, since working strides out takes time that few models need.
        except LayoutDependentError:
            if strided:
                raise
            strided = True
        # Most text models only look into their tokens and masks, whose values the caller has given. Not the
        # first attempt, since following values takes time, too.
        except DataDependentError:
            if looking:
                raise
            looking = True


def _run_for_real(model: nn.Module, readings: list[Reading], *, nonzero: bool) -> Trace:
    """Run every kernel, on the model's device."""
    errors: list[TraceError] = []
    for reading in readings:
        device = _find_device(model)
        modules = _copy_to_run(_make_shapes_known(model, reading))
        try:
            return _record_pass(modules, reading, device=device, execution="real", nonzero=nonzero)
        except TraceError as error:
            errors.append(error)
    raise errors[0]


def _make_shapes_known(model: nn.Module, reading: Reading) -> Modules:
    """Look through a model; of a lazy one, through a copy whose parameters have their shapes."""
    modules = Modules(model)
    if not modules.lazy:
        return modules
    return Modules(copy_with_shapes(model, reading.args, reading.kwargs), copied=True)


def _copy_if_needed(modules: Modules) -> Modules:
    """Copy a model for passes on shapes, if others may see what these change, or it could not be put back."""
    if modules.copied or is_distributed(modules.model):
        return modules
    if not (modules.unusual and modules.held.opaque) and not are_others_running():
        return modules
    copied = copy_sharing_tensors(modules)
    return modules if copied is None else Modules(copied, copied=True)


def _copy_to_run(modules: Modules, *, on_cpu: bool = False) -> Modules:
    """Copy a model for a real run, which may write into its tensors."""
    runnable = ensure_on_cpu(modules.model) if on_cpu else modules.model
    if runnable is not modules.model:
        return Modules(runnable, copied=True)
    if modules.copied or is_distributed(runnable):
        return modules
    copied = copy_whole(modules)
    return modules if copied is None else Modules(copied, copied=True)


def check_module(model: object) -> None:
    """Refuse an object that is not a module, such as a model's name.

    Raises:
        TraceError: the object is not a torch.nn.Module.
    """
    if isinstance(model, nn.Module):
        return
    if isinstance(model, type):
        remedy = f"make one of the class, as in {model.__name__}()"
    elif isinstance(model, Mapping):
        remedy = "build the model, and load the weights into it"
    elif isinstance(model, list | tuple):
        remedy = "give one model; resflops.table compares several"
    elif isinstance(model, str):
        remedy = "resflops.load builds one by its name"
    else:
        held = [
            name for name in ("model", "module", "net") if isinstance(getattr(model, name, None), nn.Module)
        ]
        remedy = f"its attribute {held[0]} is one" if held else "give the module that is to be counted"
    raise TraceError(f"model must be a torch.nn.Module, got {model!r:.80}; {remedy}")


@repeat_if_needed
def _record_pass(
    modules: Modules,
    reading: Reading,
    *,
    device: torch.device,
    execution: Execution,
    nonzero: bool,
    lifetimes: bool = False,
    strided: bool = False,
    looking_at_inputs: bool = False,
    autograd: bool = False,
    notes: tuple[str, ...] = (),
) -> Trace:
    model = modules.model
    args, kwargs = as_tensors(reading.args, device), as_tensors(reading.kwargs, device)
    real = execution == "real"
    values = observe_input_values(reading, args, kwargs) if looking_at_inputs else None
    zeros = WeightZeros(model) if nonzero else None
    held = Lifetimes() if lifetimes else None
    doubles = Autograd() if autograd and not real else None
    observers = [observer for observer in (doubles, values, zeros, held) if observer is not None]
    distributed = is_distributed(model)
    # With autograd on, torch's own meta kernels make every tensor, and give it its strides.
    recorder = (DistributedRecorder if distributed else Recorder)(
        modules, real=real, strided=strided or doubles is not None, described=not autograd, autograd=autograd,
        observers=observers,
    )  # fmt: skip
    if values is not None:
        values.recorder = recorder
        if any(tensor.is_meta for tensor in model.parameters()):
            recorder.made_up_values = values
    if autograd:
        for _, given, made in _pair_arguments(reading, args, kwargs):
            require_like(made, given)
    tensors = list(find_tensors((args, kwargs)))
    recorder.take_inputs([*tensors, *chain.from_iterable(map(list_wrapped, tensors))])
    find_kernels()
    with (
        allow_collection() if real else delay_collection(),
        preserve_state(modules, keep_values=real and not modules.copied) as drawn,
        contextlib.nullcontext() if autograd else torch.no_grad(),
        disable_flex_compile(),
        record_custom_calls(recorder) as custom_calls,
        preserve_hooks(recorder),
        redirect_calls(recorder),
        record_stock_layers(recorder, modules),
    ):
        if distributed:
            unshard(modules, recorder)
        try:
            returned = run_model(model, args, kwargs, recorder)
        except UndecidedError as error:
            error.ops = recorder.ops
            raise
        except TraceError:
            # It may have failed because it was told that there are no gradients.
            recorder.autograd_needed |= recorder.gradient_asked and not autograd
            raise
        finally:
            if recorder.autograd_needed:
                raise AutogradNeeded
        results = list(find_tensors(returned))
        note_unseen(recorder, results, modules)
        # An object that is no container may hold outputs, too.
        outputs = recorder.find_makers([*results, *find_held(returned, depth=4)])
        given_back = {number for op in outputs for number in recorder.ops[op].storages if op >= 0}
        del returned, results
    joined = custom_calls.join(outputs)
    # Only now. Until the producers of the outputs had been looked up, no other trace could be lent a blank:
    # its id would have stood for two tensors.
    recorder.meta_pool.take_back()
    recorded = Trace(
        model=type(modules.root).__name__,
        inputs=record_inputs(args, kwargs),
        modules=list_local_records(modules) if distributed else modules.records,
        ops=joined.ops,
        execution=execution,
        notes=(
            *notes,
            *(describe_rank(model) if distributed else ()),
            *(_describe_assumptions(values) if values is not None else ()),
            *describe_unseen(recorder),
            # A real run draws torch's for every dropout; that its path depends on values is said already.
            *_describe_draws([name for name in drawn if not (real and name == "torch")]),
        ),
        stages=_read_stages(model),
        torch_version=str(torch.__version__),
        tells_parameters=True,
        outputs=joined.outputs,
        given_storages=recorder.storages.list_given(modules, _name_inputs(args, kwargs)),
        weights=None if zeros is None else joined.renumber(zeros.count_weights()),
        held_until=None if held is None else joined.renumber_last(held.list_held(given_back)),
        upper_bound=values is not None and detection.is_bound(values.made_up),
    )
    if recorder.gradient_asked and not recorder.gradient_taken:
        raise GradientAsked(recorded)
    return recorded


def observe_input_values(reading: Reading, args: tuple[Any, ...], kwargs: dict[str, Any]) -> InputValues:
    """Make an observer that knows the values of the whole-numbered inputs."""
    known = InputValues()
    for name, item, made in _pair_arguments(reading, args, kwargs):
        # as_tensors keeps the order of tensors, so the two lists go in step.
        leaves = [leaf for leaf in tree_leaves(item) if isinstance(leaf, (Tensor, TensorSpec))]
        for tensor, given in zip(find_tensors(made), leaves, strict=True):
            if isinstance(given, Tensor) and not tensor.is_floating_point() and not tensor.is_complex():
                (value,) = as_tensors((given,), torch.device("cpu"))
                assumed = frozenset([name]) if given.is_meta else frozenset[str]()
                known.remember(tensor, value, assumed=assumed)
    return known


def _pair_arguments(
    reading: Reading, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Pair the arguments, but for shapes: each one's name, what the caller gave, and what the model takes."""
    given, taken = [*enumerate(reading.args), *reading.kwargs.items()], [*args, *kwargs.values()]
    for (name, item), made in zip(given, taken, strict=True):
        if not isinstance(item, TensorSpec):
            yield str(name), item, made


def _describe_assumptions(values: InputValues) -> tuple[str, ...]:
    """Say what a trace on shapes assumes about inputs whose values were not given."""
    names = sorted(values.relied_on)
    return (
        *((f"its path depends on the values of {_join_names(names)}: {_ZEROS}",) if names else ()),
        *((detection.describe_found(values.made_up),) if values.made_up else ()),
    )


def _describe_zeros(reading: Reading) -> tuple[str, ...]:
    """Say what a real run assumes about inputs whose values were not given."""
    given = [*enumerate(reading.args), *reading.kwargs.items()]
    names = [str(name) for name, item in given if any(map(_lacks_values, tree_leaves(item)))]
    return (f"it was run on {_join_names(names)}: {_ZEROS}",) if names else ()


def _describe_draws(drawn: list[str]) -> tuple[str, ...]:
    """Say whose random numbers a pass drew: a number of Python's may decide which layers are called."""
    names = " and ".join(drawn)
    return (f"it draws random numbers from {names}, on which its path may depend",) if drawn else ()


def _lacks_values(leaf: Any) -> bool:
    return isinstance(leaf, TensorSpec) or (isinstance(leaf, Tensor) and leaf.is_meta)


_ZEROS = "given without values, taken as zeros"


def _join_names(names: list[str]) -> str:
    return ", ".join(f"input {name}" if name.isdecimal() else name for name in names)


def _find_device(model: nn.Module) -> torch.device:
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.device == META:
            raise TraceError(
                f"{type(model).__name__} is on the meta device, where nothing can run for real; "
                "load it with device='cpu'"
            )
        return tensor.device
    return torch.device("cpu")


def record_inputs(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[InputRecord, ...]:
    """Record the tensors that a model is given."""
    return tuple(
        InputRecord(name=name, shape=find_stored_shape(tensor), dtype=DTYPE_NAMES[tensor.dtype])
        for name, tensor in _name_inputs(args, kwargs)
    )


def _name_inputs(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    for place, item in [*enumerate(args), *kwargs.items()]:
        if isinstance(item, Tensor):
            yield str(place), item
            continue
        leaves, _ = tree_flatten_with_path(item)
        for path, leaf in leaves:
            if isinstance(leaf, Tensor):
                yield ".".join([str(place), *(_name_step(step) for step in path)]), leaf


def _name_step(step: Any) -> str:
    return str(getattr(step, "key", getattr(step, "idx", getattr(step, "name", step))))


def _read_stages(model: nn.Module) -> dict[str, str]:
    # A protocol for any network, not only ours: an attribute that maps module paths to stages.
    # A model without it is not asked itself, since a module words an error that nobody reads.
    if "resflops_stages" not in vars(model) and not hasattr(type(model), "resflops_stages"):
        return {}
    try:
        stages = getattr(model, "resflops_stages", None)
    except Exception:  # noqa: BLE001 - it may be a property, and without stages the table is complete, too
        return {}
    return dict(stages) if isinstance(stages, Mapping) else {}
