"""What a checkpoint holds, read without loading it: tensors by their names and shapes, or a pickled model."""

from collections.abc import Iterator, Mapping
from math import prod

from msgspec import Struct

from resflops.records import Shape
from resflops.sources.checkpoints.pickled import Made, Reference, Value

__all__ = ["Contents", "find_contents"]


class Contents(Struct, frozen=True, kw_only=True):
    """What was found in a file."""

    shapes: dict[str, Shape] = {}
    """The tensors of a state dict, by name, in the order of the file."""
    key: str = ""
    """Under which key of the file it is, such as ``state_dict``; ``""`` if it is the whole file."""
    model: str = ""
    """The class of a pickled model, ``module:Class``; the tensors are then its own."""
    lightning: bool = False
    """Whether it is a checkpoint of Lightning."""
    built_by: str = ""
    """The class that the checkpoint says it belongs to."""

    @property
    def elements(self) -> int:
        """The number of elements of all tensors."""
        return sum(map(prod, self.shapes.values()))


def find_contents(found: Value) -> Contents:
    """Find the model or the state dict in what a pickle holds."""
    if (model := _find_model(found)) is not None:
        return Contents(model=_name_class(model), shapes=dict(_list_module(model)))
    items = _read_items(found)
    best_key, best = "", _list_shapes(found)
    for key, value in _walk(items):
        if len(shapes := _list_shapes(value)) > len(best):
            best_key, best = key, shapes
    hyper = _read_items(items.get("hyper_parameters"))
    return Contents(
        shapes=best,
        key=best_key,
        lightning=any(str(key).startswith("pytorch-lightning") for key in items),
        built_by=next((str(hyper[key]) for key in ("_class_path", "_target_") if key in hyper), ""),
    )


_DEPTH = 3


def _walk(items: Mapping[Value, Value], path: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, Value]]:
    for key, value in items.items():
        if isinstance(key, str):
            name = f"{path}.{key}" if path else key
            yield name, value
            if depth > 1:
                yield from _walk(_read_items(value), name, depth - 1)


def _read_items(value: Value) -> Mapping[Value, Value]:
    if isinstance(value, Made):
        return value.items
    return value if isinstance(value, dict) else {}


def _read_sequence(value: Value) -> list[Value] | tuple[Value, ...]:
    # A set is a call with a list.
    if isinstance(value, Made) and isinstance(value.args, tuple) and value.args:
        (value, *_) = value.args
    return value if isinstance(value, (list, tuple)) else ()


def _find_model(found: Value) -> Made | None:
    """Find a module: the file itself, or what its dict has under some key."""
    for value in (found, *_read_items(found).values()):
        if isinstance(value, Made) and _is_module(value):
            return value
    return None


_MOST_LEVELS = 40


def _list_module(module: Made, prefix: str = "", levels: int = _MOST_LEVELS) -> Iterator[tuple[str, Shape]]:
    """List the tensors of a pickled module, and of those in it, as a state dict would name them."""
    passing = _read_sequence(module.state.get("_non_persistent_buffers_set"))
    for kind in ("_parameters", "_buffers"):
        for name, item in _read_items(module.state.get(kind)).items():
            if (shape := _find_shape(item)) is not None and name not in passing:
                yield f"{prefix}{name}", shape
    for name, child in _read_items(module.state.get("_modules")).items():
        if levels and isinstance(child, Made) and _is_module(child):
            yield from _list_module(child, f"{prefix}{name}.", levels - 1)


def _is_module(value: Made) -> bool:
    state = value.state
    return isinstance(state, dict) and "_modules" in state and "_parameters" in state


def _name_class(value: Made) -> str:
    # Protocol 0 and 1 make an object by copyreg._reconstructor(Class, object, None).
    first = value.args[0] if isinstance(value.args, tuple) and value.args else None
    rebuilt = value.name.startswith(("copyreg:", "copy_reg:")) and isinstance(first, Reference)
    return first.name if rebuilt and isinstance(first, Reference) else value.name


def _list_shapes(value: Value) -> dict[str, Shape]:
    """List the tensors that are directly in a dict."""
    shapes = {}
    for name, item in _read_items(value).items():
        if isinstance(name, str) and (shape := _find_shape(item)) is not None:
            shapes[name] = shape
    return shapes


_REBUILDING = {
    "torch._utils:_rebuild_tensor": 2,
    "torch._utils:_rebuild_tensor_v2": 2,
    "torch._utils:_rebuild_tensor_v3": 2,
    "torch._utils:_rebuild_qtensor": 2,
    "torch._utils:_rebuild_meta_tensor_no_storage": 1,
}
"""The functions that make a tensor, and which of their arguments is its size."""
_WRAPPING = {
    "torch._utils:_rebuild_parameter": 0,
    "torch._utils:_rebuild_parameter_with_state": 0,
    "torch._tensor:_rebuild_from_type": 2,
    "torch._tensor:_rebuild_from_type_v2": 2,
    "torch.nn.parameter:Parameter": 0,
}
"""The functions that are given a tensor, or what makes one, and in which argument."""
_ARRAY = ("numpy.core.multiarray:_reconstruct", "numpy._core.multiarray:_reconstruct")


def _find_shape(item: Value, depth: int = _DEPTH) -> Shape | None:
    if not isinstance(item, Made) or not isinstance(item.args, tuple):
        return None
    if item.name in _WRAPPING and len(item.args) > _WRAPPING[item.name] and depth:
        inner = item.args[_WRAPPING[item.name]]
        if isinstance(inner, tuple) and isinstance(item.args[0], Reference):
            inner = Made(item.args[0].name, inner)
        return _find_shape(inner, depth - 1)
    size: Value = None
    if item.name in _REBUILDING and len(item.args) > _REBUILDING[item.name]:
        size = item.args[_REBUILDING[item.name]]
    elif item.name in _ARRAY and isinstance(item.state, tuple) and len(item.state) > 1:
        size = item.state[1]
    # It may be a torch.Size, which is a call with a tuple.
    sizes = None if size is None else _read_sequence(size)
    whole = sizes is not None and all(type(each) is int and each >= 0 for each in sizes)
    return tuple(sizes) if sizes is not None and whole else None
