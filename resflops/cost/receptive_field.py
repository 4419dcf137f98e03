"""How much of the input one output point sees, and how far its neighbour's field is shifted.

Along the ops, a kernel of size k and dilation d widens the field by d·(k - 1) input steps,
and a stride multiplies the step (Araujo et al. 2019, "Computing Receptive Fields of
Convolutional Neural Networks"). Where paths join, the widest field and the longest step
hold. Three 3×3 convolutions in a row see what one 7×7 convolution sees. Statistics of a whole
map, as those of a group normalisation, let every position see all of it.
"""

from math import prod

from msgspec import Struct
from msgspec.structs import replace

from resflops.ops import OPS, Window
from resflops.records import MODEL_INPUT, OpRecord, Shape, Trace

__all__ = ["Field", "compute_receptive_fields"]


class Field(Struct, frozen=True):
    """The receptive field of an op's output, per spatial dimension, in points of the model's input."""

    size: Shape
    stride: Shape
    """Effective stride: the distance between the fields of neighbouring points."""
    whole: bool = False
    """Whether every position has been gathered into one, as by a global pool or a classifier."""
    everywhere: bool = False
    """Whether every position sees the whole map, so that no further op widens what it sees."""


_SPATIAL_KEYS = ("kernel", "stride")
_POINTWISE_AXES = 2  # batch and channels come before the spatial dimensions


def compute_receptive_fields(trace: Trace) -> tuple[Field | None, ...]:
    """Compute the field of every op's output, in the order of the trace.

    It is None where there is no such field, because the data has no spatial dimensions that
    can be followed from the input: after tokens, upsampling and transposed convolutions.
    """
    fields: list[Field | None] = []
    start = _start_field(trace)
    # Ops that make a weight from other weights, as the mask of a pruned layer does: they see no input, and
    # must not end the field of the op that uses the weight.
    weight_ops: set[int] = set()
    for place, record in enumerate(trace.ops):
        producers = [made for made in record.producers if made >= MODEL_INPUT and made not in weight_ops]
        if record.producers and not producers:
            weight_ops.add(place)
        arriving = [start if made == MODEL_INPUT else fields[made] for made in producers]
        known = [field for field in arriving if field is not None]
        # One path without a field leaves the output without one, because that path might see more.
        fields.append(_advance(record, _join(known)) if known and len(known) == len(arriving) else None)
    return tuple(fields)


def _start_field(trace: Trace) -> Field | None:
    if len(trace.inputs) != 1 or len(trace.inputs[0].shape) <= _POINTWISE_AXES:
        return None
    spatial = len(trace.inputs[0].shape) - _POINTWISE_AXES
    return Field((1,) * spatial, (1,) * spatial)


def _join(fields: list[Field]) -> Field | None:
    if len(fields) == 1:
        return fields[0]
    if len({len(field.size) for field in fields}) > 1:
        return None
    return Field(
        tuple(map(max, zip(*(field.size for field in fields), strict=True))),
        tuple(map(max, zip(*(field.stride for field in fields), strict=True))),
        any(field.whole for field in fields),
        any(field.everywhere for field in fields),
    )


def _advance(record: OpRecord, field: Field | None) -> Field | None:
    """Compute the field of an op's output from the widest that arrives, by the window in its declaration."""
    window = _find_window(record)
    # A field that is whole stays so: what follows a global pool has one position and sees all of the input.
    if field is None or field.whole or window == "keeps":
        return field
    advanced = _advance_window(record, field, window)
    return replace(advanced, size=field.size) if advanced and field.everywhere else advanced


def _advance_window(record: OpRecord, field: Field, window: Window) -> Field | None:
    # A quantised layer keeps its stride in a packed object of its own, which the record does not have.
    if window == "slides" and all(key in record.attributes for key in _SPATIAL_KEYS):
        return _slide(record, field)
    shape, out = record.input_shapes[0], record.output_shape
    if window == "gathers":
        return _gather(field, shape, out)
    if window == "breaks":
        return None
    if window == "spans":
        return _span(record, field)
    return _reshape(window, field, shape, out)


def _reshape(window: Window, field: Field, shape: Shape, out: Shape) -> Field | None:
    """Handle the ops that keep positions, flatten them into one vector, or take every n-th of them."""
    spatial = len(field.size)
    if len(out) == len(shape) and out[-spatial:] == shape[-spatial:]:
        return field
    if window == "flattens":
        return _gather(field, shape, ())
    if window == "slices" and len(out) == len(shape):
        steps = [-(-n // m) for n, m in zip(shape[-spatial:], out[-spatial:], strict=True)]
        strides = tuple(j * s for j, s in zip(field.stride, steps, strict=True))
        return replace(field, stride=strides)
    return None


def _find_window(record: OpRecord) -> Window:
    declared = OPS.get(record.op)
    if declared is not None and declared.family:
        return declared.window
    # A user's own op declares no window; a kernel and a stride among its attributes show that it slides.
    return "slides" if all(key in record.attributes for key in _SPATIAL_KEYS) else ""


def _slide(record: OpRecord, field: Field) -> Field | None:
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
        everywhere=field.everywhere,
    )


def _span(record: OpRecord, field: Field) -> Field:
    """Let every position see the whole map, if a normalisation takes its statistics of it."""
    shape, spatial = record.input_shapes[0], len(field.size)
    # Statistics that were kept in training, as those of a batch normalisation, are constants.
    computes = record.attributes.get("training", True) and not record.attributes.get("running")
    groups = record.attributes.get("groups")
    # One group for each channel of each sample at most: more would be of parts of a map.
    if not computes or (isinstance(groups, int) and groups > prod(shape[:-spatial])):
        return field
    return Field(
        tuple(f + (n - 1) * j for f, n, j in zip(field.size, shape[-spatial:], field.stride, strict=True)),
        field.stride,
        everywhere=True,
    )


def _gather(field: Field, shape: Shape, out: Shape) -> Field | None:
    """Gather every position into one, or into adaptive windows of about equal size."""
    spatial = len(field.size)
    if shape[-spatial:] == out[-spatial:]:
        # Over the channels alone.
        return field
    sizes = shape[-spatial:]
    outs = out[-spatial:] if len(out) == len(shape) else (1,) * spatial
    windows = [-(-n // m) for n, m in zip(sizes, outs, strict=True)]
    return Field(
        tuple(f + (w - 1) * j for f, w, j in zip(field.size, windows, field.stride, strict=True)),
        tuple(j * max(n // m, 1) for j, n, m in zip(field.stride, sizes, outs, strict=True)),
        whole=all(m == 1 for m in outs),
        everywhere=field.everywhere,
    )
