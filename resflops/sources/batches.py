"""The batch of the inputs that a factory gives with its model."""

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from resflops.errors import InputError
from resflops.records import Shape, TensorSpec
from resflops.sources.found_model import FoundModel, Inputs, WithInputs

if TYPE_CHECKING:
    from torch import nn

__all__ = ["replace_batch", "set_input"]


def set_input(found: FoundModel, shape: Shape | None, batch: int | None) -> tuple[FoundModel, Shape | None]:
    """Set the shape of a model's main input and the batch in it.

    Returns:
        The model, and the whole shape; None for the usual inputs or those that come with the built model.

    Raises:
        InputError: the shape has another number of sizes than the model takes, or a size below one.
    """
    whole = found.complete_shape(shape, batch)
    if batch is not None and whole is None:
        return replace_batch(found, batch), None
    return found, whole


def replace_batch(found: FoundModel, batch: int) -> FoundModel:
    """Replace the batch of the inputs that come with a model, known only once it is made or read."""
    if (read := found.read) is not None:
        return replace(found, read=lambda request: read(replace(request, batch=batch)))

    def make() -> "nn.Module | WithInputs":
        made = found.make()
        if not isinstance(made, WithInputs):
            return made
        if callable(made.inputs):
            return WithInputs(made.module, made.inputs(None, batch))
        sizes = {_list_shapes(leaf)[0] for leaf in _list_leaves((made.inputs.args, made.inputs.kwargs))}
        if len(sizes) != 1:
            raise InputError(
                f"{found.spec}: its inputs do not all begin with the same size, so their batch cannot be "
                "replaced; give the shape of its input, with the batch, or let its factory make them"
            )
        args, kwargs = _replace((made.inputs.args, made.inputs.kwargs), batch)
        return WithInputs(made.module, Inputs(args, kwargs))

    return replace(found, make=make)


def _list_leaves(value: Any) -> list[Any]:  # noqa: ANN401 - any containers
    if isinstance(value, dict):
        value = list(value.values())
    if type(value) in (tuple, list):
        return [leaf for item in value for leaf in _list_leaves(item)]
    return [value] if _list_shapes(value) else []


def _list_shapes(value: Any) -> tuple[int, ...]:  # noqa: ANN401
    shape = getattr(value, "shape", ())
    return tuple(shape) if isinstance(shape, tuple) else ()


def _replace(value: Any, batch: int) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: _replace(item, batch) for name, item in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_replace(item, batch) for item in value)
    if not _list_shapes(value):
        return value
    if isinstance(value, TensorSpec):
        return replace(value, shape=(batch, *value.shape[1:]))
    # The first sample, as often as the batch is large: what values there are, are those of the model's own.
    return value[:1].expand(batch, *value.shape[1:])
