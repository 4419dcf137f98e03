"""Layers of torch.nn that look alike: the second and later ones are recorded without running their forward.

What a layer such as ``nn.Conv2d`` does with one tensor follows from a few of its attributes, and from the
shapes and types of its weights and of the tensor. So a call that looks like one whose op is known is recorded
at once. All of it is read at the time of the call, since a forward pass may change its layers. Whatever is
unusual, such as a hook, a mode of the model's own or a function that somebody has replaced, makes the layer
run as ever.

A layer is intercepted by the attribute that ``Module.compile`` sets, ``_compiled_call_impl``: torch calls it
in place of the forward, and leaves it out of copies. It is gone after the pass.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import attrgetter, is_, itemgetter
from threading import get_ident as get_thread
from types import FunctionType
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch._C import _len_torch_function_stack as count_modes
from torch._C._functorch import maybe_current_level as functorch_level
from torch.nn import functional
from torch.nn.modules import module as torch_module

from resflops.ops import CallSignature
from resflops.tracing.modules import Attributes, Modules, StockLayer
from resflops.tracing.other_threads import are_others_running
from resflops.tracing.recorder import Recorder, RepeatableCall
from resflops.tracing.redirections import redirect

__all__ = ["record_stock_layers"]

_STOCK = (
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "Linear",
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "GroupNorm", "LayerNorm", "RMSNorm",
    "ReLU", "ReLU6", "LeakyReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Softplus",
    "Hardtanh", "Hardswish", "Hardsigmoid", "Sigmoid", "Tanh", "LogSigmoid", "Softsign",
    "Softmax", "LogSoftmax",
    "MaxPool1d", "MaxPool2d", "MaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d",
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d",
    "Dropout", "Dropout1d", "Dropout2d", "Dropout3d",
)  # fmt: skip
"""Classes of torch.nn whose forward calls torch with its input, its weights and its attributes, and keeps
nothing."""

_DERIVED = frozenset(("_reversed_padding_repeated_twice",))
"""Attributes that are not read for a single op: a convolution reads this one if it pads by other than zeros,
and then it is two."""

_CALL = "_compiled_call_impl"
_FUNCTIONAL, _TORCH = vars(functional), vars(torch)
_CAPACITY = 1 << 14
"""How many calls of a class are known at most."""

Key = tuple[Any, ...]
"""What decides what a call does."""


class _KnownCall(Struct, frozen=True, gc=False):
    """The op that all calls of one look are."""

    signature: CallSignature
    inputs: tuple[str, ...]
    """Names of the weights that are inputs of the op, in order; ``""`` for the layer's own input."""
    affine: tuple[str, ...]
    alive: tuple[Any, Any]
    """What the key has the ids of: as long as it lives, nothing else is given them."""


_UNMET: Any = object()
_MET: Any = object()
"""In place of a call that has been met, and whose op is not known yet."""


class _StockClass:
    """A class of torch.nn, and what its forward reads."""

    def __init__(self, methods: list[str], names: set[str], own: Attributes) -> None:
        attributes = sorted(name for name in own if name in names and name not in _DERIVED)
        # An itemgetter of a single name would give no tuple.
        self.read_attributes: Callable[[Attributes], Any] = itemgetter("training", "training", *attributes)
        self.read_methods: Callable[[Any], Any] = attrgetter("_call_impl", *methods)
        self.read_functions = _make_getter(_FUNCTIONAL, names, "F")
        self.functions = self.read_functions and self.read_functions(_FUNCTIONAL)
        self.read_torch = _make_getter(_TORCH, names, "torch")
        self.torch_functions = self.read_torch and self.read_torch(_TORCH)
        self.methods: Any = None
        self.calls: dict[Key, _KnownCall | None] = {}
        """By their keys; None for those that are no single op."""
        self.met: dict[tuple[int, int], tuple[Any, Any]] = {}
        """The records of parameters and buffers that layers of earlier passes had, by their ids."""

    def keep(self, key: Key, call: _KnownCall | None) -> None:
        """Keep what is known of the calls with a key."""
        # All at once: keeping count of which was used last would cost every hit.
        if len(self.calls) >= _CAPACITY:
            self.calls.clear()
        self.calls[key] = call

    def meet(self, parameters: Any, buffers: Any) -> None:
        """Take note of a layer with some records of parameters and buffers."""
        if len(self.met) >= _CAPACITY:
            self.met.clear()
        # Held, so that nothing else is given their ids.
        self.met[id(parameters), id(buffers)] = parameters, buffers


def _make_getter(
    namespace: dict[str, Any], names: set[str], name: str
) -> Callable[[dict[str, Any]], Any] | None:
    """Make a function that reads from a module what a forward may call of it; None if it calls nothing."""
    called = [each for each in sorted(names) if callable(namespace.get(each))] if name in names else []
    return itemgetter(*called) if called else None


_CLASSES: dict[type, _StockClass] = {}
"""What is known of the classes that have been met as torch has them."""


def _find_class(layer: nn.Module) -> _StockClass | None:
    """Find out what the forward of a stock class reads; None for other classes, and for changed ones."""
    cls = type(layer)
    known = _read_class(cls, layer.__dict__) if cls in _STOCK_CLASSES else None
    if known is not None:
        _CLASSES[cls] = known
    return known


_STOCK_CLASSES = frozenset(getattr(nn, name) for name in _STOCK if hasattr(nn, name))


def _read_class(cls: type[nn.Module], own: Attributes) -> _StockClass | None:
    """Go through a class's forward and the methods that it calls."""
    methods, names = ["forward"], set[str]()
    for name in methods:
        method = getattr(cls, name)
        # Replaced by somebody, or a function within a function, whose names are not looked through.
        if not isinstance(method, FunctionType) or method.__code__.co_freevars:
            return None
        if method.__module__ not in _MODULES or method.__globals__.get("F") not in (functional, None):
            return None
        names.update(method.__code__.co_names)
        methods += [
            each
            for each in method.__code__.co_names
            if each not in methods and callable(getattr(cls, each, None)) and not hasattr(nn.Module, each)
        ]
    known = _StockClass(methods, names, own)
    known.methods = known.read_methods(cls)
    return known


_MODULES = frozenset(cls.__module__ for cls in _STOCK_CLASSES)


@contextmanager
def record_stock_layers(recorder: Recorder, modules: Modules) -> Iterator[None]:
    """Record the calls of layers whose op is known without running their forward, as long as this lasts."""
    intercepted: list[Attributes] = []
    unmet: list[tuple[_StockClass, StockLayer]] = []
    thread, depth = get_thread(), count_modes() + 1
    try:
        # Another thread may run or count a model that could not be copied, and give its attributes back as it
        # has found them.
        alone = modules.copied or not are_others_running()
        if recorder.takes_known_calls and alone and modules.are_in_order():
            for stock in modules.stock:
                layer = stock[0]
                known = _CLASSES.get(type(layer)) or _find_class(layer)
                own = layer.__dict__
                if known is None or _CALL in own:
                    continue
                if (id(stock[2]), id(stock[3])) not in known.met:
                    # Learning its op takes longer than running it, and may be for nothing.
                    unmet.append((known, stock))
                else:
                    weights, size = {**own["_parameters"], **own["_buffers"]}, len(own) + 1
                    intercepted.append(own)
                    own[_CALL] = partial(_call_layer, recorder, thread, depth, known, size, weights, stock)
        yield
    finally:
        for own in intercepted:
            own.pop(_CALL, None)
        for known, (_, _, *records) in unmet:
            known.meet(*records)


# The dicts themselves, which torch never replaces.
_FORWARD_HOOKS = torch_module._global_forward_hooks
_FORWARD_PRE_HOOKS = torch_module._global_forward_pre_hooks
_BACKWARD_HOOKS = torch_module._global_backward_hooks
_BACKWARD_PRE_HOOKS = torch_module._global_backward_pre_hooks


def _call_layer(
    recorder: Recorder,
    thread: int,
    depth: int,
    known: _StockClass,
    size: int,
    weights: Attributes,
    stock: StockLayer,
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Call a layer; if a call like it is known, record its op and do no more."""
    layer, path, parameters, buffers = stock
    own = layer.__dict__
    now = {**own["_parameters"], **own["_buffers"]}
    call = None
    if (
        len(args) == 1
        and not kwargs
        and type(x := args[0]) is Tensor
        and get_thread() == thread
        # Other threads record as well.
        and recorder.__class__ is Recorder
        and not recorder.over
        # The model has not entered a mode of its own, and torch is not asking the recorder about a call.
        and count_modes() == depth
        and functorch_level() is None
        # Torch has not given anything another shape.
        and not recorder.meta_pool.touched
        and len(now) == len(weights)
        and all(map(is_, now.values(), weights.values()))
        # Nothing has been added to the layer, such as a forward of its own.
        and len(own) == size
        and not (own["_forward_hooks"] or own["_forward_pre_hooks"])
        and not (own["_backward_hooks"] or own["_backward_pre_hooks"])
        and not (_FORWARD_HOOKS or _FORWARD_PRE_HOOKS or _BACKWARD_HOOKS or _BACKWARD_PRE_HOOKS)
        and known.read_methods(type(layer)) == known.methods
        and (known.read_functions is None or known.read_functions(_FUNCTIONAL) == known.functions)
        and (known.read_torch is None or known.read_torch(_TORCH) == known.torch_functions)
    ):
        try:
            attributes = known.read_attributes(own)
            # The types too, as 1, 1.0 and True are equal.
            kind = recorder.meta_pool.kinds[id(x)]
            key = (attributes, tuple(map(type, attributes)), kind, id(parameters), id(buffers))
            call = known.calls.get(key, _UNMET)
        except (KeyError, TypeError):
            # A tensor that is no blank, or an attribute that is missing or cannot be looked up.
            call = None
        if call is _UNMET and not now:
            # As with layers that have weights, the first of a look is only taken note of.
            known.keep(key, _MET)
            call = None
    if call is None:
        return layer._call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]
    if call is _UNMET or call is _MET:
        return _learn_call(recorder, known, key, stock, x, now)
    return recorder.perform(
        call.signature,
        [now[name] if name else x for name in call.inputs],
        [now[name] for name in call.affine],
        path,
    )


def _learn_call(
    recorder: Recorder, known: _StockClass, key: Key, stock: StockLayer, x: Tensor, weights: Attributes
) -> Any:
    """Run a layer; if that is one op, whose signature is kept, remember it for calls like this one."""
    layer, ops = stock[0], recorder.ops
    calls: list[RepeatableCall] = []
    before, recorder.calls = len(ops), calls
    try:
        out = layer._call_impl(x)  # type: ignore[no-untyped-call]
    finally:
        recorder.calls = None
    several = len(ops) != before + 1
    # Otherwise it is a call whose signature is not kept.
    if calls or several:
        single = len(calls) == 1 and not several
        known.keep(key, _name_operands(calls[0], x, out, weights, stock[2:]) if single else None)
    return out


def _name_operands(
    call: RepeatableCall, x: Tensor, out: Any, weights: Attributes, alive: tuple[Any, Any]
) -> _KnownCall | None:
    """Name what a call works on; None if that is not all there is to it."""
    signature, inputs, affine = call
    if signature.others or signature.pack is not None or (out is x) != (signature.blank is None):
        return None
    names = {id(x): "", **{id(weight): name for name, weight in weights.items()}}
    try:
        return _KnownCall(
            signature,
            tuple([names[id(tensor)] for tensor in inputs]),
            tuple([names[id(tensor)] for tensor in affine if tensor is not None]),
            alive,
        )
    except KeyError:
        return None


@redirect("torch._C", "_swap_tensor_impl")
def swap_tensors(recorder: Recorder, own: Callable[..., None], *tensors: Tensor) -> None:
    """Swap two tensors, which is no torch function: the shape of a weight may have changed."""
    recorder.meta_pool.touch()
    own(*tensors)
