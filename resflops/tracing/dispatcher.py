"""The second level of tracing: the aten ops of functions without a description, under the same op names."""

import sys
from collections.abc import Mapping
from functools import cache
from types import FrameType
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch._C import DispatchKey
from torch.utils._python_dispatch import TorchDispatchMode

from resflops.ops import OPS
from resflops.records import Attribute
from resflops.tracing.binding import Described, bind_aten
from resflops.tracing.call_through import call_through
from resflops.tracing.meta import META, find_tensors

if TYPE_CHECKING:
    from resflops.tracing.recorder import Recorder

__all__ = ["DispatchRecorder", "select_plain_values"]

_READ, _RENAMED = bind_aten()


class DispatchRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes every aten op that reaches torch's dispatcher into a recorder, as long as it is on."""

    def __init__(self, recorder: "Recorder") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder
        self._doubles: dict[int, tuple[Tensor, Tensor]] = {}

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
        with self._recorder.lock:
            return self._record(func, args, kwargs)

    def _record(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # An op may have made a view of a blank, or resized it, and the pool could not tell.
        self._recorder.meta_pool.touched = True
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
        if func.namespace == "prims" and _is_asked_for_shape(sys._getframe(1)):
            return out
        op, inputs, attributes = describe_aten(func, args, kwargs)
        layer, outs = self._recorder.find_running_layer(sys._getframe(1)), tuple(find_tensors(out))
        affine = find_affine(func, args, kwargs, inputs) if _has_affine(attributes) else ()
        self._recorder.note(op, layer, inputs, outs, attributes, affine)
        return out


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
