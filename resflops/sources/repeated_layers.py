"""Layers of torch.nn that are built again and again: the second of a kind is made without its constructor.

A network is a few kinds of layers, many times over. On the meta device two layers of a class whose
constructors got the same arguments differ in nothing but the identity of their tensors and containers. So
the first is built as ever and taken down as a plan, and those after it get what the plan says: a layer
takes 5 microseconds instead of 50, of which the greater part is initialising what has no values.

For the time of one build, in its thread, the classes' ``__init__`` is replaced. For every other thread, for a
derived class that changes what a constructor calls or sets, and where anything is unusual, the replacement
calls the constructor that it stands for; so does one that somebody has kept. The constructor of a derived
class runs as ever, and what it hands to torch's is answered.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from marshal import dumps
from typing import Any
from weakref import WeakKeyDictionary

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch._C import DisableTorchFunction, _len_torch_dispatch_stack, _len_torch_function_stack
from torch.nn.modules import module as torch_modules

__all__ = ["copy_repeated_layers"]

META = torch.device("meta")

# Those whose constructors look at nothing but their arguments and the default dtype, and make no children.
_CLASSES: tuple[type[nn.Module], ...] = (
    nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.Conv1d, nn.Conv2d,
    nn.Conv3d, nn.ConvTranspose2d, nn.Dropout, nn.Dropout2d, nn.ELU, nn.Embedding, nn.Flatten, nn.GELU,
    nn.GroupNorm, nn.Hardsigmoid, nn.Hardswish, nn.Identity, nn.LayerNorm, nn.LeakyReLU, nn.Linear,
    nn.MaxPool2d, nn.Mish, nn.PReLU, nn.ReLU, nn.ReLU6, nn.RMSNorm, nn.SiLU, nn.Sigmoid, nn.Softmax, nn.Tanh,
    nn.Upsample,
)  # fmt: skip

_MOST_PLANS = 1 << 12

_PLAIN = (int, float, bool, str, type(None))
_CONTAINERS = (dict, OrderedDict, set)

_TensorPlan = tuple[tuple[int, ...], tuple[int, ...], torch.dtype, bool]
"""Shape, strides and type of a tensor to make, and whether it requires a gradient."""


class _Plan(Struct, frozen=True):
    """What a constructor made of a new module."""

    attributes: dict[str, Any]
    """All of them in their order, with a None where a container of the module's own goes."""
    containers: tuple[tuple[str, type], ...]
    parameters: tuple[tuple[str, _TensorPlan | None], ...]
    """None is registered for what a layer does without, such as a bias."""
    buffers: tuple[tuple[str, _TensorPlan | None], ...]
    names: frozenset[str]
    """Of all of them."""


class _Building(threading.local):
    """Whether this thread builds, and under how many modes."""

    active = False
    modes = 0


_BUILDING = _Building()

# One thread at a time; the others build without copying.
_LOCK = threading.Lock()

Constructor = Callable[..., None]

_REPLACEMENTS: dict[type[nn.Module], Constructor] = {}

_PLANS: dict[tuple[type, bytes, torch.dtype], _Plan | None] = {}
"""What the constructors have made; None where that cannot be made again from a plan."""


def _list_stock() -> tuple[Callable[..., Any], ...]:
    """List what constructors call that somebody may have replaced, to see or to change what is registered."""
    module = nn.Module
    return module.__init__, module.__setattr__, module.register_parameter, module.register_buffer


_STOCK = _list_stock()


@contextmanager
def copy_repeated_layers() -> Iterator[None]:
    """Build layers like earlier ones from plans, under the mode that puts tensors on meta without values."""
    if not _LOCK.acquire(blocking=False):
        yield
        return
    replaced: list[tuple[type[nn.Module], Constructor | None]] = []
    try:
        for kind in filter(_is_torchs_own, _CLASSES):
            replaced.append((kind, vars(kind).get("__init__")))
            kind.__init__ = _replace(kind)  # type: ignore[method-assign]
        _BUILDING.active, _BUILDING.modes = True, _len_torch_function_stack()
        yield
    finally:
        _BUILDING.active = False
        for kind, before in replaced:
            # Unless somebody has put something else there meanwhile.
            if vars(kind).get("__init__") is not _REPLACEMENTS.get(kind):
                continue
            if before is None:
                del kind.__init__
            else:
                kind.__init__ = before  # type: ignore[method-assign]
        _LOCK.release()


def _is_torchs_own(kind: type[nn.Module]) -> bool:
    """Whether what builds a class is torch's, and not somebody's replacement."""
    functions = (kind.__init__, getattr(kind, "reset_parameters", None))
    return all(each is None or each.__module__.startswith("torch.nn.") for each in functions)


def _replace(kind: type[nn.Module]) -> Constructor:
    """Give the function that stands for a class's constructor, which is made once."""
    original: Constructor = kind.__init__
    made = _REPLACEMENTS.get(kind)
    if made is not None and made.__wrapped__ is original:  # type: ignore[attr-defined]
        return made

    @wraps(original)
    def construct(self: nn.Module, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as it is called
        key = _make_key(self, kind, args, kwargs) if _BUILDING.active else None
        own = _NOTHING if key is None or type(self) is kind else _list_own_names(type(self), kind)
        if key is None or own is None:
            original(self, *args, **kwargs)
            return
        plan = _PLANS.get(key)
        if plan is not None and own.isdisjoint(plan.names):
            _follow_plan(plan, self)
            return
        original(self, *args, **kwargs)
        if key not in _PLANS:
            made = _make_plan(self)
            # What a derived class sees being set may have been set in another way.
            if made is None or own.isdisjoint(made.names):
                _keep_plan(key, made)

    _REPLACEMENTS[kind] = construct
    return construct


def _keep_plan(key: tuple[type, bytes, torch.dtype], plan: _Plan | None) -> None:
    if len(_PLANS) >= _MOST_PLANS:
        _PLANS.clear()
    _PLANS[key] = plan


_NOTHING: frozenset[str] = frozenset()

# What a class may define for itself without a constructor of torch's noticing.
_UNNOTICED = {"__init__", "__doc__", "__module__", "__qualname__", "__annotations__", "forward", "extra_repr"}

_OWN_NAMES: WeakKeyDictionary[type[nn.Module], frozenset[str] | None] = WeakKeyDictionary()


def _list_own_names(derived: type[nn.Module], kind: type[nn.Module]) -> frozenset[str] | None:
    """List what a derived class defines; None if it changes what torch's constructor may call or set."""
    if derived not in _OWN_NAMES:
        place = derived.__mro__.index(kind)
        defined = [item for each in derived.__mro__[:place] for item in vars(each).items()]
        own = frozenset(name for name, _ in defined) - _UNNOTICED
        # A property, and whatever else decides what happens when an attribute is set, has such a method.
        noticed = (
            type(derived) is not type
            or not own.isdisjoint(dir(kind))
            or any(hasattr(type(value), "__set__") for name, value in defined if name in own)
        )
        # Another order would call the constructors of other classes, too.
        _OWN_NAMES[derived] = None if noticed or derived.__mro__[place:] != kind.__mro__ else own
    return _OWN_NAMES[derived]


def _make_key(
    module: nn.Module, kind: type[nn.Module], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[type, bytes, torch.dtype] | None:
    """Make the key of a call that may be answered from a plan; None where anything is unusual."""
    if (
        module.__dict__
        or _len_torch_function_stack() != _BUILDING.modes
        or _len_torch_dispatch_stack()
        or torch.is_inference_mode_enabled()
        or torch_modules._global_parameter_registration_hooks  # noqa: SLF001
        or torch_modules._global_buffer_registration_hooks  # noqa: SLF001
        or (
            nn.Module.__init__,
            nn.Module.__setattr__,
            nn.Module.register_parameter,
            nn.Module.register_buffer,
        )
        != _STOCK
    ):
        return None
    # Unlike equality, marshal tells 1 from 1.0 and from True, and refuses all that is no plain value. Version
    # 2, since those after it write what they have written already in another way.
    try:
        return kind, dumps((args, kwargs), 2), torch.get_default_dtype()
    except ValueError:
        return None


def _make_plan(module: nn.Module) -> _Plan | None:
    """Take down what a constructor has made; None where a plan cannot say it."""
    attributes: dict[str, Any] = {}
    containers = []
    for name, value in vars(module).items():
        attributes[name] = None
        if type(value) in _CONTAINERS and (not value or name in {"_parameters", "_buffers"}):
            containers.append((name, type(value)))
        elif _is_plain(value):
            attributes[name] = value
        else:
            return None
    with DisableTorchFunction():
        try:
            parameters = [(name, _plan_tensor(name, each)) for name, each in module._parameters.items()]  # noqa: SLF001
            buffers = [(name, _plan_tensor(name, each)) for name, each in module._buffers.items()]  # noqa: SLF001
        except NotImplementedError:
            return None
    names = frozenset((*attributes, *dict(parameters), *dict(buffers)))
    return _Plan(attributes, tuple(containers), tuple(parameters), tuple(buffers), names)


def _is_plain(value: object) -> bool:
    """Whether a value cannot change, so that all modules may have the same one."""
    return type(value) in _PLAIN or (type(value) is tuple and all(map(_is_plain, value)))


def _plan_tensor(name: str, tensor: Tensor | None) -> _TensorPlan | None:
    """Describe a tensor that a constructor has registered.

    Raises:
        NotImplementedError: it has something that is not described.
    """
    if tensor is None:
        return None
    # The count of batches is made from a value, on the CPU, and moved to meta after the build.
    on_meta = tensor.device == META or (name == "num_batches_tracked" and not tensor.shape)
    usual = type(tensor) in {Tensor, nn.Parameter} and not vars(tensor) and tensor.layout == torch.strided
    if not (on_meta and usual):
        raise NotImplementedError
    return tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.requires_grad


def _follow_plan(plan: _Plan, module: nn.Module) -> None:
    """Make of a new module what its constructor would."""
    attributes = module.__dict__
    attributes.update(plan.attributes)
    for name, kind in plan.containers:
        attributes[name] = kind()
    # The modes would be asked about every call otherwise.
    with DisableTorchFunction():
        parameters, buffers = attributes["_parameters"], attributes["_buffers"]
        for name, described in plan.parameters:
            if described is None:
                parameters[name] = None
                continue
            shape, strides, dtype, requires_grad = described
            data = torch.empty_strided(shape, strides, dtype=dtype, device=META)
            parameters[name] = nn.Parameter(data, requires_grad)
        for name, described in plan.buffers:
            if described is None:
                buffers[name] = None
                continue
            shape, strides, dtype, _ = described
            buffers[name] = torch.empty_strided(shape, strides, dtype=dtype, device=META)
