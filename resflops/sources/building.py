"""Building the model that a spec has found, if possible without allocating or initialising a weight."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._pytree import tree_leaves, tree_map_only

from resflops.errors import InputError, ModelError, ResflopsError, describe_error
from resflops.process.garbage import delay_collection
from resflops.records import Shape, TensorSpec
from resflops.sources.found_model import FoundModel, Inputs, WithInputs
from resflops.sources.lookup import find
from resflops.sources.repeated_layers import copy_repeated_layers
from resflops.tracing.call_through import call_through
from resflops.tracing.generators import fix_generators
from resflops.tracing.inputs import find_float_dtype
from resflops.tracing.trace import resolve_inputs
from resflops.tracing.zeros import zeros

__all__ = ["OpenModel", "build_model", "open_found_model", "open_model"]

META = torch.device("meta")

GivenInputs = Inputs | Callable[[Shape | None, int | None], Inputs] | None
"""The inputs that came with a module, a function that gives them, or none."""


class OpenModel(Struct, frozen=True, kw_only=True):
    """A model that is built, and the arguments to call it with."""

    found: FoundModel
    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    notes: tuple[str, ...] = ()
    """What a reader of its figures should know, such as that it had to be built for real."""


def open_model(
    spec: str, *, input_shape: Shape | None = None, device: str | torch.device = "meta"
) -> OpenModel:
    """Build the model that a spec names, and make its usual inputs.

    Args:
        spec: any model spec.
        input_shape: shape of its main input, with the batch in front or without; the batch is then one.
        device: device of the model and the inputs; on ``meta`` they have shapes and no values.

    Raises:
        UnknownModelError: there is no model of that name.
        SpecError: the spec is malformed, or sets an option that the model lacks.
        ModelError: the model could not be built, or the package that it comes from is missing.
        InputError: its input has another number of dimensions.
    """
    return open_found_model(find(spec), input_shape=input_shape, device=device)


def open_found_model(
    found: FoundModel,
    *,
    input_shape: Shape | None = None,
    device: str | torch.device = "meta",
    input_device: str | torch.device | None = None,
) -> OpenModel:
    """Build a model that a spec has found already, and make its usual inputs, if asked on another device."""
    # The inputs first, so that a shape that does not fit is refused before anything is built.
    inputs = found.resolve_inputs(input_shape)
    module, given, notes = _build(found, torch.device(device))
    inputs = given(input_shape, None) if callable(given) else inputs or given
    if inputs is None:
        raise InputError(
            f"the inputs of {found.spec} are not known; give the shape of its input, "
            "or let its factory return (module, inputs)"
        )
    reading = resolve_inputs(module, inputs.args, inputs.kwargs, foreign=False)
    args, kwargs = _make_tensors(
        (reading.args, reading.kwargs), torch.device(input_device or device), find_float_dtype(module)
    )
    return OpenModel(found=found, module=module, args=args, kwargs=kwargs, notes=(*found.notes, *notes))


def build_model(found: FoundModel, *, device: str | torch.device = "meta") -> nn.Module:
    """Build a model, in eval mode.

    Args:
        found: the model that a spec found.
        device: where to build it. On ``meta`` it has shapes and no weights; if its constructor needs values,
            it is built on the CPU instead. Either way it is built from a fixed seed, and the random number
            generators stay as they were. On any other device its weights are drawn from them, as in torch.

    Raises:
        ModelError: its constructor failed.
    """
    return _build(found, torch.device(device))[0]


@delay_collection()
def _build(found: FoundModel, target: torch.device) -> tuple[nn.Module, GivenInputs, tuple[str, ...]]:
    if target != META:
        return *_build_on(found, target), ()
    with fix_generators() as drawn:
        without_values = _WithoutValues()
        try:
            with without_values, copy_repeated_layers():
                made = _check_module(found, found.make())
        except ResflopsError:
            raise
        # A constructor may raise anything, and values may be all that it lacks: it gets a second try with
        # them. One that exits does so on purpose and gets none.
        except Exception as error:
            # Whoever misses a value has asked torch for it. Weights with values may take all the memory.
            if not without_values.refused:
                raise _make_build_error(found, error) from error
            return _build_for_real(found, error)
        except SystemExit as error:
            raise _make_build_error(found, error) from error
    _move_to_meta(made[0])
    return *made, _describe_draws(drawn)


def _build_for_real(found: FoundModel, error: Exception) -> tuple[nn.Module, GivenInputs, tuple[str, ...]]:
    """Build a model on the CPU that failed on meta."""
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    note = f"built for real, on the CPU, from a fixed seed: its constructor needs values ({reason})"
    # From the seed again, since the first attempt may have drawn some numbers.
    with fix_generators():
        return *_build_on(found, torch.device("cpu")), (note,)


def _describe_draws(drawn: list[str]) -> tuple[str, ...]:
    """Say whose random numbers a constructor drew, apart from torch's, which initialisers draw."""
    names = " and ".join(name for name in drawn if name != "torch")
    return (f"its constructor draws random numbers from {names}; they have a fixed seed",) if names else ()


def _build_on(found: FoundModel, target: torch.device) -> tuple[nn.Module, GivenInputs]:
    try:
        with target:
            return _check_module(found, found.make())
    except ResflopsError:
        raise
    except (Exception, SystemExit) as error:
        raise _make_build_error(found, error) from error


def _make_build_error(found: FoundModel, error: BaseException) -> ModelError:
    return ModelError(f"{found.spec} could not be built: {describe_error(error)}")


def _check_module(found: FoundModel, made: object) -> tuple[nn.Module, GivenInputs]:
    module, inputs = (made.module, made.inputs) if isinstance(made, WithInputs) else (made, None)
    if not isinstance(module, nn.Module):
        raise ModelError(
            f"{found.spec} gives a value of the type {type(module).__name__}; it must give a torch.nn.Module"
        )
    _set_eval_mode(module)
    return module, inputs


class _WithoutValues(TorchFunctionMode):
    """Makes new tensors on meta, and skips the functions that would fill them.

    On meta an initialiser computes nothing, and yet initialisers take more than half of the time in which a
    network is built. Tensors from which constructors read numbers, such as a linspace of drop rates, stay
    on the CPU and have their values.
    """

    _READ = frozenset((torch.arange, torch.linspace, torch.logspace, torch.range, torch.tensor))
    _ALLOCATING = frozenset(_device_constructors()) - _READ
    _INITIALISING = frozenset(
        getattr(nn.init, name)
        for name in ("constant_", "kaiming_normal_", "kaiming_uniform_", "normal_", "trunc_normal_",
                     "uniform_", "xavier_normal_", "xavier_uniform_")
    )  # fmt: skip
    _FILLING = frozenset(
        getattr(Tensor, name)
        for name in ("__setitem__", "add_", "bernoulli_", "clamp_", "clamp_max_", "clamp_min_", "copy_",
                     "div_", "erfinv_", "exp_", "exponential_", "fill_", "fill_diagonal_", "log_",
                     "masked_fill_", "mul_", "neg_", "normal_", "pow_", "random_", "sqrt_", "sub_",
                     "uniform_", "zero_")
    )  # fmt: skip

    _POINTWISE = frozenset(
        (*(getattr(Tensor, name) for name in ("add", "div", "exp", "log", "mul", "neg", "sqrt", "sub")),
         torch.exp, torch.log, torch.sqrt)
    )  # fmt: skip
    """What scales a new tensor. Torch's own meta kernels of these are written in Python, and the first to run
    loads its compiler, which takes longer than the whole build."""

    def __init__(self) -> None:
        """Begin without a refusal."""
        super().__init__()
        self.refused = False
        """Whether a function of torch has raised something, such as for want of a value."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401 - torch's signature
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Skip a call, move it to meta, or let it through."""
        kwargs = kwargs or {}
        if func in self._INITIALISING:
            return args[0] if args else kwargs["tensor"]
        if func in self._FILLING and args and args[0].device == META:
            return args[0]
        if func in self._POINTWISE and not kwargs and _is_new(args[0]) and _are_numbers(args[1:]):
            return torch.empty_like(args[0])
        if func in self._ALLOCATING:
            kwargs = {**kwargs, "device": META}
        try:
            return call_through(func, args, kwargs)
        # Only after a failure: most calls have tensors on one device, and looking for others takes time.
        except Exception as error:
            # What a constructor asserts of its arguments, no values would make true.
            if isinstance(error, AssertionError) and func is torch._assert:  # noqa: SLF001
                raise
            if not isinstance(error, RuntimeError) or not _mixes_devices(func, (args, kwargs)):
                self.refused = True
                raise
            args, kwargs = tree_map_only(Tensor, _make_double, (args, kwargs))
            return call_through(func, args, kwargs)


def _is_new(tensor: Tensor) -> bool:
    """Whether arithmetic with numbers gives a tensor like this one, and nothing that autograd knows of."""
    return tensor.device == META and tensor.is_floating_point() and not tensor.requires_grad


def _are_numbers(values: tuple[object, ...]) -> bool:
    return all(type(value) in {int, float} for value in values)


def _mixes_devices(func: Callable[..., Any], arguments: object) -> bool:
    """Whether a function may have failed because some tensors are on meta and some are not.

    A function that writes into its tensor does not count: on doubles, what it writes would be lost.
    """
    devices = {leaf.device for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor)}
    return META in devices and len(devices) > 1 and not func.__name__.endswith("_")


def _make_double(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)


def _move_to_meta(module: nn.Module) -> None:
    """Move the few parameters and buffers to meta that were made from values, such as positions."""
    made, elsewhere = False, []
    for owner in _list_modules(module):
        # Without removing duplicates, since a tied tensor has to be replaced under each of its names.
        for name, tensor in chain(owner._parameters.items(), owner._buffers.items()):  # noqa: SLF001
            if tensor is None:
                continue
            if tensor.is_meta:
                made = True
            else:
                elsewhere.append((owner, name, tensor))
    # A module without any tensor on meta was not made just now. A factory gave one that belongs to somebody
    # else, and must not be changed.
    if not made:
        return
    doubles: dict[int, Tensor] = {}
    for owner, name, tensor in elsewhere:
        if id(tensor) not in doubles:
            double = _make_double(tensor)
            is_parameter = isinstance(tensor, nn.Parameter)
            doubles[id(tensor)] = nn.Parameter(double, tensor.requires_grad) if is_parameter else double
        setattr(owner, name, doubles[id(tensor)])


def _list_modules(module: nn.Module) -> list[nn.Module]:
    """List a module and all below it, each once, as ``modules()`` does, without working out names."""
    found = {id(module): module}
    left = [module]
    while left:
        for child in left.pop()._modules.values():  # noqa: SLF001
            if child is not None and id(child) not in found:
                found[id(child)] = child
                left.append(child)
    return list(found.values())


def _set_eval_mode(module: nn.Module) -> None:
    """Set eval mode: as ``eval()`` does, and at once where no module has a way of its own to do it."""
    modules = _list_modules(module)
    if all(map(_has_usual_modes, {type(each) for each in modules})) and not any(
        "train" in vars(each) or "eval" in vars(each) for each in modules
    ):
        for each in modules:
            vars(each)["training"] = False
    else:
        module.eval()


def _has_usual_modes(kind: type[nn.Module]) -> bool:
    usual = nn.Module
    return (
        kind.train is usual.train
        and kind.eval is usual.eval
        and kind.__setattr__ is usual.__setattr__
        and kind.children is usual.children
        and not hasattr(kind, "training")
    )


def _make_tensors(value: Any, device: torch.device, dtype: str) -> Any:  # noqa: ANN401 - any containers
    """Rebuild the same containers with a tensor of zeros for every TensorSpec, in a type if it names none."""
    if isinstance(value, TensorSpec):
        return zeros(value.shape, dtype=getattr(torch, value.dtype or dtype), device=device)
    # What has values keeps them, for a trace on shapes to look up.
    if isinstance(value, Tensor) and device != META:
        return value.to(device)
    if isinstance(value, dict):
        return {name: _make_tensors(item, device, dtype) for name, item in value.items()}
    # No subclass: a named tuple is not made from one iterable.
    if type(value) in (tuple, list):
        return type(value)(_make_tensors(item, device, dtype) for item in value)
    return value
