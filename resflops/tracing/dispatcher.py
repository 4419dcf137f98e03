"""The second level of tracing: the aten ops of functions without a description, under the same op names."""

import sys
from collections.abc import Mapping
from functools import cache
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch._C import DispatchKey, _get_dispatch_mode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from resflops.ops import OPS, is_free, is_of_family
from resflops.records import Attribute
from resflops.tracing.binding import Described, bind_aten
from resflops.tracing.call_through import call_through
from resflops.tracing.caller import find_asking_frame
from resflops.tracing.formats import (
    dispatches_itself,
    is_nested,
    is_sparse,
    read_sparse_product,
    split_components,
    stored_in,
)
from resflops.tracing.meta import META, find_tensors

if TYPE_CHECKING:
    from resflops.tracing.recorder import Recorder

__all__ = ["DispatchRecorder", "select_plain_values"]

_READ, _RENAMED = bind_aten()


_FAKE = torch._C._TorchDispatchModeKey.FAKE


class DispatchRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes every aten op that reaches torch's dispatcher into a recorder, as long as it is on."""

    def __init__(self, recorder: "Recorder") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder
        self._doubles: dict[int, tuple[Tensor, Tensor]] = {}
        self._fake_mode = _get_dispatch_mode(_FAKE)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Torch from 2.11 on would load its compiler, which takes a second, at the first op, and go through it
        # for every op, to have none of this compiled. Nothing is where a trace runs: see compiled_parts.py.
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one aten op and record it."""
        kwargs = kwargs or {}
        if self._recorder.over:
            return call_through(func, args, kwargs)
        if types and any(map(dispatches_itself, types)):
            # A class that wraps tensors says which ops on these a call is. They come here next.
            return NotImplemented
        if _get_dispatch_mode(_FAKE) is not self._fake_mode:
            # Torch works out shapes for its own use, as it does to place a distributed tensor.
            return call_through(func, args, kwargs)
        with self._recorder.lock:
            return self._record(func, args, kwargs)

    def _record(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # An op may have made a view of a blank, or resized it, and the pool could not tell.
        self._recorder.meta_pool.touch()
        if not self._recorder.real and "device" in kwargs:
            kwargs = {**kwargs, "device": META}
        if not self._recorder.real:
            # Compiled code holds real tensors of its own, such as weights of a scripted module, which
            # the recorder never saw among the arguments of a function.
            args, kwargs = self._recorder.make_doubles((args, kwargs), self._doubles)
        if _is_composite_without_rule(func):
            # In inference mode, functions arrive whole that torch takes apart elsewhere.
            with self:
                out = call_through(func.decompose, args, kwargs)
            if out is not NotImplemented:
                return out
        out = call_through(func, args, kwargs)
        if func.namespace == "prims" and _is_asked_for_shape(find_asking_frame(sys._getframe(1))):
            return out
        layer, outs = self._recorder.find_running_layer(sys._getframe(1)), tuple(find_tensors(out))
        self._recorder.check_in_place(func, args, self._doubles, layer)
        tensors = (*outs, *find_tensors((args, kwargs)))
        if self._recorder.real and any(is_sparse(each) or is_nested(each) for each in tensors):
            record_special(self._recorder, func, args, kwargs, out, layer)
            return out
        op, inputs, attributes = describe_aten(func, args, kwargs)
        affine = find_affine(func, args, kwargs, inputs) if _has_affine(attributes) else ()
        self._recorder.note(op, layer, inputs, outs, attributes, affine)
        return out


def record_special(
    recorder: "Recorder", func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any, layer: str
) -> None:
    """Record an aten op on sparse or nested tensors that has run."""
    outs = tuple(find_tensors(out))
    if any(map(is_nested, find_tensors((args, kwargs, out)))):
        _record_components(recorder, func, args, kwargs, out, layer)
    else:
        op, inputs, attributes, results = _describe_sparse(func, args, kwargs, outs)
        given = list(find_tensors((args, kwargs)))
        sparse = next(filter(is_sparse, given), None)
        for each in inputs:
            # The elements that a sparse tensor stores stand for it, and come from where it comes from.
            if sparse is not None and not any(each is tensor for tensor in given):
                recorder.producers.remember(each, recorder.producers.find_maker(sparse))
        recorder.note(op, layer, inputs, results, attributes)
    for tensor in outs:
        recorder.producers.remember(tensor, len(recorder.ops) - 1)


def _record_components(
    recorder: "Recorder", func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any, layer: str
) -> None:
    """Record one op for each component, or one that only makes or takes apart nested tensors."""
    given = tuple(find_tensors((args, kwargs)))
    if not (isinstance(out, Tensor) and is_nested(out) and any(map(is_nested, given))):
        plain = tuple(tensor for tensor in find_tensors(out) if not is_nested(tensor))
        recorder.note(describe_name(func), layer, (), plain, {})
        return
    makers = [recorder.producers.find_maker(tensor) for tensor in given]
    for (parts, named), result in zip(split_components((args, kwargs)), out.unbind(), strict=True):
        for tensor, maker in zip(find_tensors((parts, named)), makers, strict=True):
            recorder.producers.remember(tensor, maker)
        op, inputs, attributes = describe_aten(func, parts, named)
        affine = find_affine(func, parts, named, inputs) if _has_affine(attributes) else ()
        recorder.note(op, layer, inputs, (result,), attributes, affine)


def _describe_sparse(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outs: tuple[Tensor, ...]
) -> tuple[str, tuple[Any, ...], dict[str, Attribute], tuple[Tensor, ...]]:
    """Say what an aten op on sparse tensors is: by what they store, and not by their shapes."""
    name = describe_name(func)
    if product := read_sparse_product(name, args, kwargs):
        return *product, outs
    if is_free(name):
        return name, (), {}, tuple(tensor for tensor in outs if not is_sparse(tensor))
    sparse = [tensor for tensor in (*outs, *find_tensors((args, kwargs))) if is_sparse(tensor)]
    stored = stored_in(sparse[0])
    if any(is_of_family(name, family) for family in _ELEMENTWISE) or is_of_family(name, "sparse"):
        parts = tree_map_only(Tensor, lambda tensor: stored if tensor.dim() else tensor, (args, kwargs))
        return *describe_aten(func, *parts), (stored,)
    return f"{name} of a sparse tensor", (stored,), {}, ()


_ELEMENTWISE = ("activation", "arithmetic", "comparison", "elementwise")


def describe_name(func: Any) -> str:
    """Give the name that an aten op is recorded by, whatever its arguments."""
    name = str(func._schema.name.partition("::")[2])
    op = name.rstrip("_") if not name.endswith("__") else name
    return _RENAMED.get(op, op)


def _is_asked_for_shape(frame: FrameType | None) -> bool:
    """Whether a prim runs to tell torch's own C++ code a shape, as when it adds a tangent that is zero."""
    # The Python references of torch's ops reach the dispatcher in no other way: where they run as the meta
    # kernel of an op that was recorded, no mode is on.
    while frame is not None and (name := frame.f_globals.get("__name__", "")).startswith("torch."):
        if name.startswith("torch._refs"):
            return True
        frame = frame.f_back
    return False


def describe_aten(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    """Say of an aten op what a declaration would: its op name, tensors and attributes.

    An op without a declaration keeps its own name, with its namespace if that is not aten, and is
    then shown as uncounted.
    """
    name = func._schema.name.partition("::")[2]
    space = func.namespace
    if space != "aten":
        if (read := _READ.get(f"{space}.{name}")) and (
            described := read(_bind_arguments(func, args, kwargs))
        ):
            return described
        return (
            f"{space}.{name}",
            tuple(find_tensors((args, kwargs))),
            select_plain_values(_bind_arguments(func, args, kwargs)),
        )
    # A trailing underscore marks the variant in place, whose work is the same; __and__ is a name as it is.
    op = name.rstrip("_") if not name.endswith("__") else name
    if (read := _READ.get(op)) and (described := read(_bind_arguments(func, args, kwargs))):
        return described
    return (
        _RENAMED.get(op, op),
        tuple(find_tensors((args, kwargs))),
        select_plain_values(_bind_arguments(func, args, kwargs)),
    )


def _is_composite_without_rule(func: Any) -> bool:
    """Whether torch implements an op by others, and no declaration says what it is as a whole."""
    composite, names = _read_composite(func)
    return composite and not any(each in _READ or each in _RENAMED or each in OPS for each in names)


@cache
def _read_composite(func: Any) -> tuple[bool, tuple[str, ...]]:
    """Read whether torch implements an op by others, and the names that declarations may have for it."""
    name = func._schema.name.partition("::")[2]
    names = (name, name.rstrip("_")) if func.namespace == "aten" else (f"{func.namespace}.{name}",)
    return bool(func.has_kernel_for_dispatch_key(DispatchKey.CompositeImplicitAutograd)), names


def find_affine(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Find the weight and the bias of an aten op that are not among its inputs."""
    bound = _bind_arguments(func, args, kwargs)
    given = [bound.get(name) for name in ("weight", "bias")]
    known = {id(tensor) for tensor in inputs}
    return tuple([tensor for tensor in given if isinstance(tensor, Tensor) and id(tensor) not in known])


def _has_affine(attributes: dict[str, Attribute]) -> bool:
    return attributes.get("weight") is True or attributes.get("bias") is True


def _bind_arguments(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Match arguments with their names in the op's schema, and fill in the defaults."""
    bound = {}
    for place, argument in enumerate(func._schema.arguments):
        if place < len(args):
            bound[argument.name] = args[place]
        else:
            bound[argument.name] = kwargs.get(
                argument.name, argument.default_value if argument.has_default_value() else None
            )
    return bound


def select_plain_values(bound: Mapping[str, Any]) -> dict[str, Attribute]:
    """Select those of some named values that an op's attributes can hold."""
    attributes: dict[str, Attribute] = {}
    for name, value in bound.items():
        if isinstance(value, (bool, int, float, str)) or value is None:
            attributes[name] = value
        elif isinstance(value, (list, tuple)) and all(isinstance(number, int) for number in value):
            attributes[name] = tuple(value)
    return attributes
