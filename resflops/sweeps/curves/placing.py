"""Putting a value of the variable into a model's input, or into an option of its spec."""

from msgspec import Struct
from msgspec.structs import replace

from resflops.errors import UsageError
from resflops.records import Shape
from resflops.sources.counting import CountRequest
from resflops.sources.found_model import FoundModel
from resflops.sources.lookup import find
from resflops.sources.shapes import format_shape
from resflops.sources.spec import parse_spec
from resflops.sweeps.curves.polynomials import Number
from resflops.sweeps.curves.variables import SIZES, write_number

__all__ = ["Placing", "find_placing", "set_option"]

NO_IMAGES = ("audio", "series", "text")
"""Families of models whose inputs have no height and width."""


class Placing(Struct, frozen=True, kw_only=True):
    """Where the values of a variable go."""

    name: str
    request: CountRequest
    """Of the model as it is given."""
    shape: Shape = ()
    """The whole shape of its main input, for ``side`` and ``seq``."""
    size_option: str = ""
    """The option by which the model is built for the side of its images; ``""`` if it takes any."""

    def place(self, value: Number) -> CountRequest:
        """Ask for the model at a value."""
        if self.name not in SIZES:
            spec = set_option(self.request.spec, self.name, write_number(value))
            return replace(self.request, spec=spec)
        size = int(value)
        if self.name == "batch":
            return replace(self.request, batch=size)
        if self.name == "seq":
            return replace(self.request, input_shape=(self.shape[0], size, *self.shape[2:]), batch=None)
        shape = (*self.shape[:-2], size, size)
        spec = self.request.spec
        if self.size_option:
            spec = set_option(spec, self.size_option, str(size))
        return replace(self.request, spec=spec, input_shape=shape, batch=None)


def find_placing(name: str, request: CountRequest) -> Placing:
    """Find where the values of a variable go in a model.

    Raises:
        UsageError: the model's input has no such size, or nothing is known of it.
        ResflopsError: there is no such model.
    """
    placing = Placing(name=name, request=request)
    if name not in SIZES:
        # Without its option, there may be no such model.
        return placing
    found = find(request.spec)
    if name == "batch":
        return placing
    shape = found.complete_shape(request.input_shape, request.batch)
    if shape is None and not found.input_shape:
        example = "1x3x224x224" if name == "side" else "1x128"
        raise UsageError(
            f"the input of {request.spec} is not known before it is built, so its {name} cannot be set; give "
            f"the shape, with the batch, as in --input {example}"
        )
    shape = shape or (1, *found.input_shape)
    if not (_has_side if name == "side" else _has_sequence)(found, shape):
        raise UsageError(_refuse(name, found, shape))
    return replace(placing, shape=shape)


def _has_side(found: FoundModel, shape: Shape) -> bool:
    return len(shape) >= 4 and found.family not in NO_IMAGES


def _has_sequence(found: FoundModel, shape: Shape) -> bool:
    # A spectrogram has its frames last, and an image has none.
    return len(shape) == 2 or (len(shape) == 3 and found.family != "audio")


def _refuse(name: str, found: FoundModel, shape: Shape) -> str:
    has = "height and width" if name == "side" else "length of a sequence"
    others = [
        other
        for other, test in (("side", _has_side), ("seq", _has_sequence))
        if other != name and test(found, shape)
    ]
    return (
        f"the input of {found.spec}, {format_shape(shape)}, has no {has}, so it has no {name}; "
        f"vary its {' or its '.join([*others, 'batch'])}, or an option of the model"
    )


def set_option(spec: str, option: str, value: str) -> str:
    """Set an option in a spec, in place of the value that it has there.

    >>> set_option("resnet34,num_classes=10", "num_classes", "5"), set_option("hf/bert", "vocab_size", "9")
    ('resnet34,num_classes=5', 'hf/bert,vocab_size=9')
    """
    parsed = parse_spec(spec)
    options = {**parsed.options, option: value}
    return ",".join([parsed.name, *(f"{name}={given}" for name, given in options.items())])
