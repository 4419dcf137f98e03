"""How much of the input one output point sees, and how far its neighbour's view is shifted.

Walking along the ops, a kernel of size k and dilation d widens the field by d·(k - 1)
input steps, and a stride multiplies the step (Araujo et al. 2019, "Computing Receptive
Fields of Convolutional Neural Networks"). Where paths join, the widest field and the
longest step hold. Three 3×3 convolutions in a row see what one 7×7 sees.
"""

from msgspec import Struct

from resflops.ops import OPS, Window
from resflops.records import MODEL_INPUT, OpRecord, Shape, Trace

__all__ = ["Field", "receptive_fields"]


class Field(Struct, frozen=True):
    """Per spatial dimension, in points of the model's input."""

    size: Shape
    stride: Shape
    """Effective stride: the distance of neighbouring points' fields."""
    whole: bool = False
    """Whether the op has gathered every position, as a global pool or a classifier does."""


_SPATIAL_KEYS = ("kernel", "stride")
_POINTWISE_AXES = 2  # batch and channels come before the spatial dimensions


def receptive_fields(trace: Trace) -> tuple[Field | None, ...]:
    """The field of every op's output, in the order of the trace.

    None where the notion fails: the data has no spatial dimensions that can be followed
    from the input, as with tokens, upsampling and transposed convolutions.
    """
    fields: list[Field | None] = []
    start = _input_field(trace)
    # Ops that make a weight of other weights, as a pruned layer's mask does: they see no input.
    apart: set[int] = set()
    for place, record in enumerate(trace.ops):
        seen = [made for made in record.producers if made >= MODEL_INPUT and made not in apart]
        if record.producers and not seen:
            apart.add(place)
        arriving = [start if made == MODEL_INPUT else fields[made] for made in seen]
        known = [field for field in arriving if field is not None]
        fields.append(_next(record, _widest(known)) if known and len(known) == len(arriving) else None)
    return tuple(fields)


def _input_field(trace: Trace) -> Field | None:
    if len(trace.inputs) != 1 or len(trace.inputs[0].shape) <= _POINTWISE_AXES:
        return None
    spatial = len(trace.inputs[0].shape) - _POINTWISE_AXES
    return Field((1,) * spatial, (1,) * spatial)


def _widest(fields: list[Field]) -> Field | None:
    if len(fields) == 1:
        return fields[0]
    if len({len(field.size) for field in fields}) > 1:
        return None
    return Field(
        tuple(map(max, zip(*(field.size for field in fields), strict=True))),
        tuple(map(max, zip(*(field.stride for field in fields), strict=True))),
        any(field.whole for field in fields),
    )


def _next(record: OpRecord, field: Field | None) -> Field | None:
    """The field of an op's output, from the widest that arrives, by what its declaration says of windows."""
    window = _window(record)
    if field is None or field.whole or window == "keeps":
        return field
    # A quantised layer keeps its stride in an object of its own, which a record does not tell.
    if window == "slides" and all(key in record.attributes for key in _SPATIAL_KEYS):
        return _windowed(record, field)
    shape, out = record.input_shapes[0], record.output_shape
    if window == "gathers":
        return _gathered(field, shape, out)
    if window == "breaks":
        return None
    return _reshaped(window, field, shape, out)


def _reshaped(window: Window, field: Field, shape: Shape, out: Shape) -> Field | None:
    """Ops that keep positions, flatten them into one vector, or take every second of them."""
    spatial = len(field.size)
    if len(out) == len(shape) and out[-spatial:] == shape[-spatial:]:
        return field
    if window == "flattens":
        return _gathered(field, shape, ())
    if window == "slices" and len(out) == len(shape):
        steps = [-(-n // m) for n, m in zip(shape[-spatial:], out[-spatial:], strict=True)]
        return Field(field.size, tuple(j * s for j, s in zip(field.stride, steps, strict=True)))
    return None


def _window(record: OpRecord) -> Window:
    known = OPS.get(record.op)
    if known is not None and known.family:
        return known.window
    # Of an op of a user's own, only a kernel and a stride among its attributes tell.
    return "slides" if all(key in record.attributes for key in _SPATIAL_KEYS) else ""


def _windowed(record: OpRecord, field: Field) -> Field | None:
    kernel, stride = record.attributes["kernel"], record.attributes["stride"]
    dilation = record.attributes.get("dilation", (1,) * len(field.size))
    if not (isinstance(kernel, tuple) and isinstance(stride, tuple) and isinstance(dilation, tuple)):
        return None
    if len(kernel) != len(field.size):
        return None
    return Field(
        tuple(
            f + d * (k - 1) * j for f, d, k, j in zip(field.size, dilation, kernel, field.stride, strict=True)
        ),
        tuple(j * s for j, s in zip(field.stride, stride, strict=True)),
    )


def _gathered(field: Field, shape: Shape, out: Shape) -> Field | None:
    """Every position folded into one, or adaptive windows of about equal size."""
    spatial = len(field.size)
    sizes = shape[-spatial:]
    outs = out[-spatial:] if len(out) == len(shape) else (1,) * spatial
    windows = [-(-n // m) for n, m in zip(sizes, outs, strict=True)]
    return Field(
        tuple(f + (w - 1) * j for f, w, j in zip(field.size, windows, field.stride, strict=True)),
        tuple(j * max(n // m, 1) for j, n, m in zip(field.stride, sizes, outs, strict=True)),
        whole=all(m == 1 for m in outs),
    )
