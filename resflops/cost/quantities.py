"""Quantities that a convention may price: the kinds of an op's work, and sizes of the op or of its module.

A quantity is a pure function of one op record, its work, and the module that it ran in.
Most of the sizes are here because some counter charges by them.
"""

from collections.abc import Callable
from itertools import zip_longest
from math import prod
from typing import Literal

from msgspec import Struct

from resflops.errors import DuplicateError
from resflops.ops._attributes import Attributes, read_attributes
from resflops.ops.attention import Scores
from resflops.ops.interpolation import Interpolation
from resflops.ops.normalization import Affine, BatchStatistics, GroupStatistics, Neighbours
from resflops.ops.pooling import Kernel
from resflops.ops.recurrent import Recurrence
from resflops.ops.softmax import Along
from resflops.records import ModuleRecord, OpRecord, Shape, Work

__all__ = ["QUANTITIES", "Measure", "Quantity", "StandsFor", "quantity"]

Measure = Callable[[OpRecord, Work, ModuleRecord | None], int]

StandsFor = Literal["macs", "bias", "other"]
"""What a counter means to charge for by a quantity: multiply-accumulates, bias additions, anything else."""


class Quantity(Struct, frozen=True, kw_only=True):
    """A named size that a convention may price."""

    name: str
    unit: str
    """What one unit of the quantity is, in words."""
    stands_for: StandsFor
    measure: Measure


class _Taps(Attributes, frozen=True):
    """The taps of a convolution's kernel, and the groups that its channels are in."""

    kernel: Shape
    groups: int


class _Steps(Attributes, frozen=True):
    """How a kernel or a window goes over its input."""

    kernel: Shape
    stride: Shape
    padding: Shape


class _DilatedSteps(_Steps, frozen=True):
    """The same for a kernel whose taps may lie apart."""

    dilation: Shape


class _Equation(Attributes, frozen=True):
    """What an einsum multiplies and adds up."""

    einsum: str


QUANTITIES: dict[str, Quantity] = {}


def quantity(unit: str, *, stands_for: StandsFor = "other") -> Callable[[Measure], Measure]:
    """Register a function as the quantity of its own name.

    Raises:
        DuplicateError: the name is taken.
    """

    def register(measure: Measure) -> Measure:
        name = measure.__name__
        if name in QUANTITIES:
            raise DuplicateError(f"a quantity named {name!r} exists already; choose another name")
        QUANTITIES[name] = Quantity(name=name, unit=unit, stands_for=stands_for, measure=measure)
        return measure

    return register


# All measures have these three arguments, so that any of them can be called without asking what it needs.
@quantity("MAC", stands_for="macs")
def macs(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Multiply-accumulates."""
    del record, module
    return work.macs


@quantity("bias add", stands_for="bias")
def bias_adds(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Additions of a bias."""
    del record, module
    return work.bias_adds


@quantity("other arithmetic operation")
def arithmetic(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Other additions, subtractions, multiplications and divisions."""
    del record, module
    return work.arithmetic


@quantity("comparison")
def comparisons(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Comparisons."""
    del record, module
    return work.comparisons


@quantity("transcendental function")
def transcendental(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Exponentials, logarithms, roots, trigonometric and error functions."""
    del record, module
    return work.transcendental


@quantity("output element")
def output_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the main output."""
    del work, module
    return prod(record.output_shape)


@quantity("output element of a tensor with dimensions")
def array_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the main output; none if it is a number without dimensions.

    So onnx-tool counts it, for which the product of no sizes is zero.
    """
    return output_elements(record, work, module) if record.output_shape else 0


@quantity("input element")
def input_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the first input."""
    del work, module
    return prod(record.input_shapes[0]) if record.input_shapes else 0


@quantity("element of what is added to a product", stands_for="bias")
def addend_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of what ``addmm`` adds, as it was given: of a bias, once and not for every row."""
    del work, module
    return prod(record.input_shapes[2])


@quantity("element of two tensors, their shapes aligned from the left")
def left_aligned_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the result if broadcasting aligned shapes from their first dimension on.

    >>> left_aligned_elements(OpRecord(op="mul", layer="", input_shapes=((2, 3, 4), (4,)), output_shapes=()),
    ...                       Work(), None)
    48
    """
    del work, module
    return prod(map(max, zip_longest(*record.input_shapes, fillvalue=1)))


@quantity("input element of a layer with a weight")
def affine_input_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the first input where a normalisation has a weight of its own, else none."""
    return input_elements(record, work, module) if read_attributes(record, Affine).weight else 0


@quantity("output element of a layer with a weight")
def affine_output_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the output where a normalisation has a weight of its own, else none."""
    return output_elements(record, work, module) if read_attributes(record, Affine).weight else 0


@quantity("input element in training mode")
def training_input_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the first input of a normalisation that computes its own statistics, else none."""
    training = read_attributes(record, BatchStatistics).training
    return input_elements(record, work, module) if training else 0


@quantity("output element of linear resizing")
def linear_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the output of an interpolation that is linear in each of its dimensions, else none."""
    mode = read_attributes(record, Interpolation).mode
    return output_elements(record, work, module) if mode in {"linear", "bilinear", "trilinear"} else 0


@quantity("output element of cubic resizing")
def cubic_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the output of a cubic interpolation, else none."""
    mode = read_attributes(record, Interpolation).mode
    return output_elements(record, work, module) if mode == "bicubic" else 0


@quantity("output element of nearest-neighbour upsampling")
def nearest_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the output of an interpolation whose mode is nearest, else none."""
    mode = read_attributes(record, Interpolation).mode
    return output_elements(record, work, module) if mode == "nearest" else 0


@quantity("output element of bilinear upsampling")
def bilinear_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the output of an interpolation whose mode is bilinear, else none."""
    mode = read_attributes(record, Interpolation).mode
    return output_elements(record, work, module) if mode == "bilinear" else 0


@quantity("point of the size that a resizing is given, or else output element")
def requested_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """The product of the sizes asked for, without batch and channels; of factors, the elements they make.

    So DeepSpeed counts it: one size for all dimensions is one factor of the product, and what factors make is
    cut to an integer once, and not in each dimension.
    """
    asked = read_attributes(record, Interpolation)
    if asked.size:
        return prod(asked.size)
    if asked.scale is None:
        return output_elements(record, work, module)
    return int(input_elements(record, work, module) * asked.scale)


@quantity("point of the size that a resizing is given, or else input element")
def requested_or_input_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """The product of the sizes asked for, without batch and channels; of factors, the input's elements.

    So calflops counts it, whose product with the factors is lost.
    """
    size = read_attributes(record, Interpolation).size
    return prod(size) if size else input_elements(record, work, module)


@quantity("row of softmax")
def softmax_rows(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """How many vectors a softmax normalises."""
    shape = record.output_shape
    size = shape[read_attributes(record, Along).dim] if shape else 1
    return output_elements(record, work, module) // size if size else 0


@quantity("attention score")
def attention_scores(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the matrix of scores of an attention: one for each query and key."""
    del work, module
    query, key = record.input_shapes[:2]
    return prod(query[:-1]) * key[-2]


@quantity("query of an attention")
def attention_queries(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Rows of the matrix of scores."""
    del work, module
    return prod(record.input_shapes[0][:-1])


@quantity("MAC of attention that torch 2.14 splits into matrix products on the CPU", stands_for="macs")
def unfused_macs(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """MACs of attention; none where torch 2.14 runs it in one fused kernel on the CPU."""
    del module
    return 0 if _is_fused(record, batched=(3, 4), grouped=True) else work.macs


@quantity("MAC of attention that torch 2.9 splits into matrix products on the CPU", stands_for="macs")
def unfused_macs_2_9(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """MACs of attention; none where torch 2.9 to 2.13 run it in one fused kernel on the CPU."""
    del module
    return 0 if _is_fused(record, batched=(4,), grouped=True) else work.macs


@quantity("MAC of attention that torch 2.6 splits into matrix products on the CPU", stands_for="macs")
def unfused_macs_2_6(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """MACs of attention; none where torch 2.6 to 2.8 run it in one fused kernel on the CPU."""
    del module
    return 0 if _is_fused(record, batched=(4,), grouped=False) else work.macs


@quantity("MAC of an attention's gradients by a kernel that computes the scores again", stands_for="macs")
def recomputing_macs(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Five products of an attention's three operands: the scores again, and the four of the gradients.

    The record is that of a kernel for the gradients, which takes the arriving one first.
    """
    del work, module
    _, query, key, value = record.input_shapes[:4]
    return prod(query[:-1]) * key[-2] * (3 * query[-1] + 2 * value[-1])


def _is_fused(record: OpRecord, *, batched: tuple[int, ...], grouped: bool) -> bool:
    """Whether torch's fused kernel for the CPU accepts an attention.

    The conditions are those of ``use_flash_attention_cpp`` in
    ``aten/src/ATen/native/transformers/sdp_utils_cpp.cpp``, except for two that a trace does not
    record: whether the mask needs a gradient, and the strides.

    Args:
        record: the attention.
        batched: how many dimensions the query may have.
        grouped: whether several queries may share a key and value by ``enable_gqa``.
    """
    query, key, value = record.input_shapes[:3]
    if len(query) not in batched or not query[-1] == key[-1] == value[-1]:
        return False
    scores = read_attributes(record, Scores)
    if scores.dropout or scores.mask_dims not in (0, 2, 4):
        return False
    if scores.grouped:
        return grouped and query[0] == key[0] == value[0]
    return query[:-2] == key[:-2] == value[:-2]


@quantity("row along the first of the normalised dimensions")
def rows_of_first_axis(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of a layer normalisation's input over the size of the first dimension that it normalises."""
    del work, module
    shape, groups = record.input_shapes[0], read_attributes(record, GroupStatistics).groups
    rest = prod(shape) // groups if groups else 0
    axis = next((axis for axis in range(len(shape) - 1, -1, -1) if prod(shape[axis:]) == rest), 0)
    return prod(shape) // shape[axis] if rest else 0


@quantity("product of neighbouring channels")
def neighbour_products(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """A product for each channel of a local response normalisation's window."""
    return output_elements(record, work, module) * read_attributes(record, Neighbours).size


@quantity("window element of at most two dimensions")
def two_dimensional_taps(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of all windows of a pooling, each with its padding; of three dimensions the first alone.

    So onnx-tool counts it, which knows two dimensions of a window, and one.
    """
    kernel = read_attributes(record, Kernel).kernel
    return output_elements(record, work, module) * prod(kernel if len(kernel) < 3 else kernel[:1])


@quantity("input element with the channels that pad it")
def padded_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of what a local response normalisation pools: its input, padded by neighbours."""
    del work, module
    batch, channels, *points = record.input_shapes[0]
    return batch * (channels + read_attributes(record, Neighbours).size - 1) * prod(points)


@quantity("kernel tap of an output element", stands_for="macs")
def output_taps(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Kernel taps of a convolution's output, if each element reads a whole kernel.

    For a convolution these are its MACs. For a transposed one, whose kernel is applied to each
    element of the input instead, they are too many.
    """
    del work, module
    taps = read_attributes(record, _Taps)
    channels = record.input_shapes[0][-1 - len(taps.kernel)] // taps.groups
    return prod(record.output_shape) * channels * prod(taps.kernel)


@quantity("kernel tap of an output element, groups passed over", stands_for="macs")
def ungrouped_output_taps(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Kernel taps of a transposed convolution's output, if each element reads a whole kernel of every group.

    So torchprofile counts it. Where input and output have equally many channels, it treats the
    op as a convolution that is not transposed.
    """
    del work, module
    weight = record.input_shapes[1]
    channels = weight[1] if record.output_shape[1] == weight[0] else weight[0]
    return prod(record.output_shape) * channels * prod(weight[2:])


@quantity("tap of a transposed convolution's filters, for each output element", stands_for="macs")
def output_filter_taps(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """The output's elements times the filters of a transposed convolution, with what each holds.

    So onnx-tool counts it, as if the first size of the weight were that of the filters.
    """
    return output_elements(record, work, module) * prod(record.input_shapes[1][1:])


@quantity("MAC of a transposed convolution over its groups", stands_for="macs")
def twice_grouped_macs(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """The MACs of a transposed convolution, divided by its groups although its weight is one group's."""
    del work, module
    image, weight = record.input_shapes[:2]
    filters = weight[1] // read_attributes(record, _Taps).groups
    return image[0] * prod(image[2:]) * image[1] * filters * prod(weight[2:])


@quantity("bias of a transposed convolution as if it were not transposed", stands_for="bias")
def shrunk_bias_adds(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Bias adds of a transposed convolution whose output size is computed as that of a plain one."""
    del module
    if not work.bias_adds:
        return 0
    image, weight = record.input_shapes[:2]
    steps = read_attributes(record, _DilatedSteps)
    points = 1
    for size, k, s, p, d in zip(
        image[2:], steps.kernel, steps.stride, steps.padding, steps.dilation, strict=True
    ):
        points *= (size + 2 * p - (d * (k - 1) + 1)) // s + 1
    return weight[1] * image[0] * points


@quantity("output element of the first sample")
def first_output_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the output for the first sample of the batch alone."""
    del work, module
    return prod(record.output_shape[1:])


@quantity("window element of adaptive pooling, in floating point")
def adaptive_window_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """The product of input over output sizes, plus one, times the output's elements, cut to an integer.

    Thop computes it in double precision and in this order. Where the sizes do not divide,
    rounding decides the last unit.
    """
    del work, module
    spatial = len(record.input_shapes[0]) - 2
    kernel = 1.0
    for size, out in zip(record.input_shapes[0][-spatial:], record.output_shape[-spatial:], strict=True):
        kernel *= size / out
    return int((kernel + 1) * prod(record.output_shape))


@quantity("input element that an average is taken of")
def averaged_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of all windows together, with those of the padding, but none beyond the padding."""
    del work, module
    steps = read_attributes(record, _Steps)
    shape, out, spatial = record.input_shapes[0], record.output_shape, len(steps.kernel)
    windows = prod(shape[:-spatial])
    for size, outputs, k, s, p in zip(
        shape[-spatial:], out[-spatial:], steps.kernel, steps.stride, steps.padding, strict=True
    ):
        windows *= sum(min(i * s - p + k, size + p) - (i * s - p) for i in range(outputs))
    return windows


@quantity("FLOP of an einsum, rounded to four digits", stands_for="macs")
def rounded_einsum_flops(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Two per multiply-accumulate and one, as ``numpy.einsum_path`` prints the number: to four digits."""
    del record, module
    return int(float(f"{2 * work.macs + 1:.3e}"))


@quantity("MAC of an einsum, rounded to four digits", stands_for="macs")
def rounded_einsum_macs(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Half of what ``numpy.einsum_path`` prints, but exact for two equations that fvcore knows."""
    if _relabel(read_attributes(record, _Equation).einsum) in ("abc,abd->acd", "abc,adc->adb"):
        return work.macs
    return rounded_einsum_flops(record, work, module) // 2


def _relabel(equation: str) -> str:
    """Rename the labels of an equation to a, b, c … in the order of their first appearance.

    >>> _relabel("bqd, bkd -> bqk")
    'abc,adc->abd'
    """
    text = equation.replace(" ", "")
    labels = dict.fromkeys(letter for letter in text if letter.isalpha())
    return text.translate({ord(label): chr(ord("a") + place) for place, label in enumerate(labels)})


@quantity("element of a recurrent state")
def state_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the hidden state over all steps, samples, layers and directions."""
    del work, module
    cells = read_attributes(record, Recurrence)
    return prod(record.input_shapes[0][:-1]) * cells.hidden * cells.layers * cells.directions


@quantity("element of a recurrent state in one direction")
def one_way_state_elements(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """Elements of the hidden state over all steps, samples and layers, of one direction alone."""
    return state_elements(record, work, module) // read_attributes(record, Recurrence).directions


@quantity("weight, once per sample, in a convolution once per output position", stands_for="macs")
def weight_uses(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """The weights of the module times the positions that torchinfo sees.

    Torchinfo recognises a convolution by the name of its class and multiplies its weights by
    the points of the output. Any other weights it multiplies by the batch size alone, even those
    of a linear layer that works on a sequence.
    """
    del work
    return _count_uses(record, module, "weight")


@quantity("bias, once per sample, in a convolution once per output position", stands_for="bias")
def bias_uses(record: OpRecord, work: Work, module: ModuleRecord | None) -> int:
    """The biases of the module times the positions that torchinfo sees."""
    del work
    return _count_uses(record, module, "bias")


def _count_uses(record: OpRecord, module: ModuleRecord | None, name: str) -> int:
    if module is None or not record.output_shape:
        return 0
    # An output of one dimension is taken as a batch of single numbers.
    batch, _, *points = (*record.output_shape, 1)[: max(len(record.output_shape), 2)]
    positions = batch * prod(points) if "Conv" in module.cls.rpartition(".")[2] else batch
    return positions * sum(tensor.elements for tensor in module.parameters if tensor.name == name)
