"""What to give where a model does not take an input: its usual one, a batch, an option for the size."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import Any

from resflops.errors import InputError, ResflopsError, TraceError
from resflops.records import Shape
from resflops.sources.found_model import FoundModel
from resflops.sources.lookup import find
from resflops.sources.shapes import format_shape

__all__ = ["explain_input", "list_size_options"]

SIZE = re.compile(r"(?:(?:img|image|input|in)_?(?:size|resolution|res|dim)|resolution)")
"""What builders call the height and width of the images that a model is built for."""


@contextmanager
def explain_input(found: FoundModel, shape: Shape | None) -> Iterator[None]:
    """Add to an error that a model raises on an input what to give instead, and the model's name.

    Raises:
        InputError: raised within.
        TraceError: raised within.
    """
    try:
        yield
    except (TraceError, InputError) as error:
        # Some messages name the model already.
        named = f"{error}" if found.spec in str(error) else f"{found.spec}: {error}"
        usual = f"; its usual input is {format_shape(found.input_shape)}" if found.input_shape else ""
        hint = (
            _hint_at_channels(found, shape)
            or _hint_at_option(found, _complete(found, shape))
            or (_hint_at_batch(found, shape, str(error)) if isinstance(error, TraceError) else "")
        )
        raise type(error)(f"{named}{usual}{hint}") from error.__cause__


def _complete(found: FoundModel, shape: Shape | None) -> Shape | None:
    try:
        return found.complete_shape(shape)
    except InputError:
        return None


def _hint_at_batch(found: FoundModel, shape: Shape | None, message: str) -> str:
    # Tensors with more dimensions are given whole by whoever thinks of them at all.
    if found.input_shape or shape is None or len(shape) > 3:
        return ""
    # Of an image its size alone, which is enough where the usual input is known.
    image = (3, shape[0], shape[-1]) if len(shape) < 3 and "conv2d" in message else shape
    return f"; give the whole shape, with the batch, as in 1x{format_shape(image)}"


def _hint_at_channels(found: FoundModel, shape: Shape | None) -> str:
    """Notice an image with its channels last."""
    usual = found.input_shape
    if shape is None or len(usual) != 3 or len(shape) not in (3, 4):
        return ""
    *batch, height, width, channels = shape
    if channels != usual[0] or height == usual[0]:
        return ""
    return f"; channels come before height and width, as in {format_shape((*batch, channels, height, width))}"


def _hint_at_option(found: FoundModel, shape: Shape | None) -> str:
    """Find the option that makes a model take images of another size, and try it."""
    if shape is None or len(shape) < 2 or shape[-2:] == found.input_shape[-2:]:
        return ""
    height, width = shape[-2:]
    value = str(height) if height == width else f"[{height},{width}]"
    for name in list_size_options(found):
        spec = f"{found.spec},{name}={value}"
        if f",{name}=" not in found.spec and _is_counted(spec, shape):
            return f"; {spec} takes this size"
    return ""


def list_size_options(found: FoundModel) -> list[str]:
    """List the parameters of a model's builder, class or config that are named like a size."""
    from resflops.sources.building import build_model

    makers: list[Any] = [found.make.func if isinstance(found.make, partial) else found.make]
    names: list[str] = []
    try:
        built = build_model(found)
    except ResflopsError:
        pass
    else:
        makers.append(type(built))
        names += getattr(getattr(built, "config", None), "__dict__", {})
    for maker in makers:
        try:
            names += signature(maker).parameters
        except (TypeError, ValueError):
            continue
    return [name for name in dict.fromkeys(names) if SIZE.fullmatch(name)]


def _is_counted(spec: str, shape: Shape) -> bool:
    from resflops.sources.live_traces import trace_found

    try:
        trace_found(find(spec), input_shape=shape)
    except ResflopsError:
        return False
    return True
