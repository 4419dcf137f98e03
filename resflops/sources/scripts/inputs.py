"""What a TorchScript file takes: the inputs that it was traced with, or what its first layer would take."""

import zipfile
from pathlib import Path
from typing import Any

from msgspec import Struct

from resflops.errors import InputError
from resflops.records import Shape, TensorSpec
from resflops.sources.checkpoints.pickled import Made, NotRead, Reference, read_pickles
from resflops.sources.found_model import Inputs
from resflops.sources.shapes import format_shape

__all__ = ["ScriptInputs", "read_script_inputs"]


class ScriptInputs(Struct, frozen=True):
    """What a TorchScript file takes, as far as the file says it."""

    spec: str
    tensors: tuple[str, ...]
    """The names of the tensors that its forward cannot do without."""
    example: tuple[Any, ...] | None
    """What it was traced with: a TensorSpec for each tensor. None if it was scripted."""
    first: TensorSpec | None
    """An input that its first layer would take; None if that does not say."""

    def make_inputs(self, main: Shape | None = None, batch: int | None = None) -> Inputs:
        """Make inputs to call it with: those that it was traced with, or others.

        Args:
            main: the shape of its first tensor, with the batch in front, or without where it was traced;
                None for the one that it was traced with.
            batch: the first size of all its tensors, in place of their own.

        Raises:
            InputError: the file does not say enough.
        """
        if self.example is None:
            return Inputs((self._make_only(main),))
        shapes = [each.shape for each in self.example if isinstance(each, TensorSpec)]
        if not shapes:
            return Inputs(self.example)
        old = shapes[0]
        new = old if main is None else (old[:1] + main if len(main) == len(old) - 1 else main)
        if len(new) != len(old):
            raise InputError(
                f"{self.spec} was traced with an input of {len(old)} sizes, {format_shape(old)}, "
                f"got {format_shape(new)}; give as many"
            )
        new = new if batch is None else (batch, *new[1:])
        return Inputs(tuple(_replace(each, old, new) for each in self._replace_first(new)))

    def _replace_first(self, shape: Shape) -> list[Any]:
        assert self.example is not None  # noqa: S101
        place = next(place for place, each in enumerate(self.example) if isinstance(each, TensorSpec))
        first = TensorSpec(shape, self.example[place].dtype)
        return [*self.example[:place], first, *self.example[place + 1 :]]

    def _make_only(self, shape: Shape | None) -> TensorSpec:
        if len(self.tensors) > 1:
            raise InputError(
                f"{self.spec} takes {len(self.tensors)} tensors ({', '.join(self.tensors)}), and does not "
                f"say their shapes; count it from Python, as in "
                f"resflops.count(torch.jit.load({self.spec!r}), (1, 3, 224, 224), ...)"
            )
        if shape is None:
            example = self.first.shape if self.first else (1, 3, 224, 224)
            raise InputError(
                f"{self.spec} does not say the shape of its input; "
                f"give it, with the batch, as in --input {format_shape(example)}"
            )
        return TensorSpec(shape, self.first.dtype if self.first else "")


def _replace(value: Any, old: Shape, new: Shape) -> Any:  # noqa: ANN401 - a tensor or any other value
    """Give a tensor that began with the same size as the first one the new size."""
    if isinstance(value, TensorSpec) and value.shape[:1] == old[:1]:
        return TensorSpec((*new[:1], *value.shape[1:]), value.dtype)
    return value


def read_script_inputs(spec: str, path: Path, module: Any) -> ScriptInputs:  # noqa: ANN401 - a ScriptModule
    """Read what the forward of a loaded file takes."""
    _, *arguments = module.forward.schema.arguments
    required = [
        each.name for each in arguments if str(each.type) == "Tensor" and not each.has_default_value()
    ]
    return ScriptInputs(spec, tuple(required), _read_traced_inputs(path), _find_first(module))


_IMAGE = {"Conv1d": (1000,), "Conv2d": (224, 224), "Conv3d": (16, 112, 112)}
"""Sizes that an example for a layer has behind the channels."""
_LONGEST_TEXT = 128


def _find_first(module: Any) -> TensorSpec | None:  # noqa: ANN401
    """Make an input that the first layer with a weight would take."""
    for layer in module.modules():
        weight = dict(layer.named_parameters(recurse=False)).get("weight")
        if weight is not None:
            kind = layer.original_name
            if kind in _IMAGE:
                return TensorSpec((1, weight.shape[1], *_IMAGE[kind]))
            if kind == "Linear":
                return TensorSpec((1, weight.shape[1]))
            return TensorSpec((1, _LONGEST_TEXT), "int64") if kind == "Embedding" else None
    return None


def _read_traced_inputs(path: Path) -> tuple[Any, ...] | None:
    """Read the shapes that ``torch.jit.trace`` has written into a file; None if there are none."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/traced_inputs.pkl"))
            (found,) = read_pickles(archive.read(name))
        given = _drop_tag(_drop_tag(found)["forward"])
        return tuple(map(_read_value, given))
    except (StopIteration, KeyError, TypeError, ValueError, OSError, NotRead, zipfile.BadZipFile):
        return None


_TAG = "torch.jit._pickle:restore_type_tag"


def _drop_tag(value: Any) -> Any:  # noqa: ANN401 - what a pickle holds
    """Give what a pickle says the type of without that."""
    return value.args[0] if isinstance(value, Made) and value.name == _TAG else value


def _read_value(value: Any) -> Any:  # noqa: ANN401
    value = _drop_tag(value)
    if isinstance(value, Made):
        storage, _, size, *_ = value.args
        (_, kind, *_) = storage.args[0]
        return TensorSpec(tuple(size), _STORAGES[kind.name])
    if isinstance(value, (list, tuple)):
        return type(value)(_read_value(each) for each in value)
    if isinstance(value, dict):
        return {name: _read_value(each) for name, each in value.items()}
    if isinstance(value, Reference):
        raise NotRead("it was traced with something else")
    return value


_STORAGES = {
    f"torch:{name}Storage": dtype
    for name, dtype in (
        ("Byte", "uint8"), ("Char", "int8"), ("Short", "int16"), ("Int", "int32"), ("Long", "int64"),
        ("Half", "float16"), ("Float", "float32"), ("Double", "float64"), ("BFloat16", "bfloat16"),
        ("Bool", "bool"), ("ComplexFloat", "complex64"), ("ComplexDouble", "complex128"),
    )
}  # fmt: skip
