"""What a layer of an exported program does in one call: steps on values that are kept in numbered slots."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from typing import Any, Self

from msgspec import Struct
from torch import Tensor, nn

__all__ = ["Branch", "LayerCall", "OwnDevice", "ProgramLayer", "Slot", "Step", "find_layer"]


class Slot(int):
    """The place of a value among those of a call."""


class Branch(Struct, frozen=True):
    """A graph that is an argument of an operator, such as a branch of ``cond``."""

    call: "LayerCall"


class OwnDevice(Struct, frozen=True):
    """In place of the device that a program was exported on: it is wherever its tensors are."""


class Step(Struct, frozen=True, kw_only=True):
    """What one node calls: a function, or a layer that has nodes of its own."""

    place: Any = None
    """Where the function is looked up at every call, since somebody may have replaced it there."""
    name: str = ""
    function: Any = None
    """The function, if it has no such place."""
    layer: tuple[str, ...] = ()
    """The names on the path of a layer that is called."""
    call: "LayerCall | None" = None
    """What that layer does; None if this is a function."""
    args: tuple[Any, ...] = ()
    """The arguments, with a slot for each value."""
    kwargs: Mapping[str, Any] = {}
    nested: bool = False
    """Whether there is more to fill in than slots that are arguments themselves."""
    outputs: tuple[int, ...]
    """Where the results go: several if a layer gives several."""
    last: tuple[int, ...] = ()
    """Values that nothing uses after this."""


class LayerCall(Struct, frozen=True, kw_only=True):
    """What one call of a layer does."""

    steps: tuple[Step, ...]
    tensors: tuple[tuple[int, tuple[str, ...], str], ...] = ()
    """The program's own tensors that the steps use: a slot, the path of the layer, the name there."""
    size: int
    """How many values there are besides those that are given."""
    result: Any
    """What it gives, with a slot for each value."""
    settings: Mapping[str, Any] = {}
    """The plain arguments of its own ops, by their names."""


class ProgramLayer(nn.Module):
    """A layer of an exported program, which runs the nodes of the graph that ran in it."""

    def forward(self, *given: Any, call: LayerCall, model: nn.Module) -> Any:
        """Run one call of the layer.

        Args:
            given: what the nodes use from outside.
            call: the nodes.
            model: the whole program, in which other layers and tensors are found.
        """
        return self.run_nodes(*given, call=call, model=model)

    def run_nodes(self, *given: Any, call: LayerCall, model: nn.Module) -> Any:
        """Run the nodes of a call.

        Here and not in a function of the call's, since the layer of an op is told by the ``self`` of a frame.
        """
        values = [*given, *[None] * call.size]
        for slot, path, name in call.tensors:
            values[slot] = getattr(find_layer(model, path), name)
        for step in call.steps:
            if step.nested:
                args = _fill(step.args, values, self, model)
                kwargs = _fill(step.kwargs, values, self, model)
            else:
                args = [values[each] if type(each) is Slot else each for each in step.args]
                kwargs = step.kwargs
            if step.call is not None:
                result = find_layer(model, step.layer)(*args, call=step.call, model=model)
            else:
                result = (step.function or getattr(step.place, step.name))(*args, **kwargs)
            if len(step.outputs) == 1:
                values[step.outputs[0]] = result
            else:
                for slot, each in zip(step.outputs, result, strict=True):
                    values[slot] = each
            # A value is let go when the graph needs it no more, as Python's own variables would not always.
            del args, result
            for slot in step.last:
                values[slot] = None
        return _fill(call.result, values, self, model)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:  # noqa: FBT001, FBT002
        """Move or convert the tensors of the layer, constants included, which torch knows nothing of."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        own = vars(self)
        own.update({name: fn(value) for name, value in own.items() if isinstance(value, Tensor)})
        return self


def find_layer(model: nn.Module, path: tuple[str, ...]) -> nn.Module:
    """Find a layer by the names on its path."""
    for name in path:
        model = model._modules[name]  # type: ignore[assignment]
    return model


def _fill(template: Any, values: list[Any], layer: ProgramLayer, model: nn.Module) -> Any:
    """Fill in what there are places for in a template."""
    kind = type(template)
    if kind is Slot:
        return values[template]
    if kind in (list, tuple):
        return kind([_fill(each, values, layer, model) for each in template])
    if kind is dict:
        return {name: _fill(each, values, layer, model) for name, each in template.items()}
    if kind is slice:
        return slice(*_fill([template.start, template.stop, template.step], values, layer, model))
    if kind is Branch:
        return partial(layer.run_nodes, call=template.call, model=model)
    return next(chain(model.parameters(), model.buffers())).device if kind is OwnDevice else template
