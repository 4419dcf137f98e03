"""The second level: aten ops of functions that the table does not describe, in the same words."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from resflops.records import Attribute
from resflops.tracing.binding import Described, bind_aten
from resflops.tracing.call_through import call_through
from resflops.tracing.meta import META, tensors_in

if TYPE_CHECKING:
    from resflops.tracing.recorder import Recorder

__all__ = ["DispatchRecorder", "plain_values"]

_READ, _RENAMED = bind_aten()


class DispatchRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the aten ops that reach the dispatcher while it is on, into a recorder."""

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
        self._recorder.meta_pool.touched = True
        if not self._recorder.real and "device" in kwargs:
            kwargs = {**kwargs, "device": META}
        if not self._recorder.real:
            args, kwargs = self._recorder.doubled((args, kwargs), self._doubles)
        out = call_through(func, args, kwargs)
        op, inputs, attributes = describe_aten(func, args, kwargs)
        layer, outs = self._recorder.layer_running(sys._getframe(1)), tuple(tensors_in(out))
        affine = affine_of(func, args, kwargs, inputs) if _has_affine(attributes) else ()
        self._recorder.note(op, layer, inputs, outs, attributes, affine)
        return out


def describe_aten(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Described:
    """An aten op in the words of the rules."""
    name = func._schema.name.partition("::")[2]
    space = func.namespace
    if space != "aten":
        if (read := _READ.get(f"{space}.{name}")) and (described := read(_bound(func, args, kwargs))):
            return described
        return f"{space}.{name}", tuple(tensors_in((args, kwargs))), plain_values(_bound(func, args, kwargs))
    op = name.rstrip("_") if not name.endswith("__") else name
    if (read := _READ.get(op)) and (described := read(_bound(func, args, kwargs))):
        return described
    return _RENAMED.get(op, op), tuple(tensors_in((args, kwargs))), plain_values(_bound(func, args, kwargs))


def affine_of(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """The weight and the bias of an aten op that are not among its inputs."""
    bound = _bound(func, args, kwargs)
    given = [bound.get(name) for name in ("weight", "bias")]
    known = {id(tensor) for tensor in inputs}
    return tuple([each for each in given if isinstance(each, Tensor) and id(each) not in known])


def _has_affine(attributes: dict[str, Attribute]) -> bool:
    return attributes.get("weight") is True or attributes.get("bias") is True


def _bound(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by their names in the op's schema, defaults filled in."""
    bound = {}
    for place, argument in enumerate(func._schema.arguments):
        if place < len(args):
            bound[argument.name] = args[place]
        else:
            bound[argument.name] = kwargs.get(
                argument.name, argument.default_value if argument.has_default_value() else None
            )
    return bound


def plain_values(bound: Mapping[str, Any]) -> dict[str, Attribute]:
    """Those of some named values that an op's attributes can hold."""
    attributes: dict[str, Attribute] = {}
    for name, value in bound.items():
        if isinstance(value, (bool, int, float, str)) or value is None:
            attributes[name] = value
        elif isinstance(value, (list, tuple)) and all(isinstance(each, int) for each in value):
            attributes[name] = tuple(value)
    return attributes
