"""Copies: tensors joined, padded, repeated, rearranged, converted; ``indexing`` has the others."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

from resflops.ops._attributes import Attributes
from resflops.ops._call import (
    Call,
    Mismatch,
    NotDescribed,
    Promoted,
    TensorLike,
    broadcast,
    is_tensor,
    name_dtype,
    per_dimension,
    wrap_dimension,
)
from resflops.ops._declaration import (
    QUANTISED,
    Needed,
    binding,
    each_gradient,
    joint_gradient,
    moved_gradient,
    stopped_gradient,
)
from resflops.ops._free import ADDED_UP, COPY, LOOKED_UP, SPREAD_OUT, declare_free
from resflops.ops.views import read_sizes
from resflops.records import OpRecord, Work

FAMILY = "copies"

# The gradient of a copy is a copy, and that of joined tensors is cut into their pieces.
_declare = partial(declare_free, family=FAMILY, reason=COPY, gradient=moved_gradient(), saves=())


class Padding(Attributes, frozen=True):
    """A padding."""

    mode: str
    """What it is padded with: ``constant``, ``reflect``, ``replicate`` or ``circular``."""


def infer_cat(tensors: Sequence[TensorLike], dim: int = 0) -> Call:
    """Join tensors along a dimension."""
    shapes = [tuple(tensor.shape) for tensor in tensors]
    if (0,) in shapes:
        # Torch ignores an empty vector, as which caches begin.
        shapes = [shape for shape in shapes if shape != (0,)] or shapes
    first, dtype, other = shapes[0], tensors[0].dtype, None
    for tensor in tensors:
        if tensor.dtype is not dtype:
            if other is not None and tensor.dtype is not other.dtype:
                raise NotDescribed
            other = tensor
    place = wrap_dimension(dim, len(first))
    before, after = first[:place], first[place + 1 :]
    for shape in shapes:
        # A dense block joins many tensors, so that each gets two comparisons of tuples and no more.
        if shape[:place] != before or shape[place + 1 :] != after:
            given = ", ".join("×".join(map(str, each)) for each in shapes)
            raise Mismatch(f"tensors of shapes {given} cannot be joined along dimension {dim}")
    joined = sum([shape[place] for shape in shapes])
    promoted = dtype if other is None else Promoted(tensors[0], other)
    return Call("cat", tuple(tensors), (*before, joined, *after), {"dim": dim}, promoted)


def infer_stack(tensors: Sequence[TensorLike], dim: int = 0) -> Call:
    """Join tensors along a new dimension."""
    shape = list(tensors[0].shape)
    if any(tensor.dtype is not tensors[0].dtype or list(tensor.shape) != shape for tensor in tensors):
        raise NotDescribed
    # A negative dimension counts from the end of the result, which has one dimension more.
    shape.insert(dim if dim >= 0 else dim + len(shape) + 1, len(tensors))
    return Call("stack", tuple(tensors), tuple(shape), {"dim": dim})


def infer_pad(
    input: TensorLike, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Call:
    """Grow sizes at both ends (or cut them, if negative), the last dimension first.

    Torch pads in a circle by writing into slices of a new tensor. Compiled code has these writes
    instead, which do not show what overlaps in the backward pass.
    """
    del value
    shape = list(input.shape)
    pads = read_sizes((pad,))
    for index in range(len(pads) // 2):
        shape[-1 - index] += pads[2 * index] + pads[2 * index + 1]
    if min(shape, default=1) < 0:
        raise Mismatch(f"cuts more from its input of {'×'.join(map(str, input.shape))} than it has")
    return Call("pad", (input,), tuple(shape), {"pad": pads, "mode": mode})


def infer_contiguous(input: TensorLike, *, memory_format: Any = None) -> Call:
    """Put the same elements in order."""
    del memory_format
    return Call("contiguous", (input,), tuple(input.shape))


def infer_clone(input: TensorLike, *, memory_format: Any = None) -> Call:
    """Copy the tensor."""
    del memory_format
    return Call("clone", (input,), tuple(input.shape))


def _is_dtype(value: object) -> bool:
    # An element type has a flag of this name, a tensor a method, and a device nothing. Python's own types
    # are taken as well, as in x.to(int).
    return any(value is kind for kind in (bool, int, float, complex)) or isinstance(
        getattr(value, "is_floating_point", None), bool
    )


def infer_to(input: TensorLike, *more: Any, dtype: Any = None, **named_more: Any) -> Call:
    """Convert to another element type; the device does not matter to a trace on meta tensors."""
    del named_more
    for argument in more:
        dtype = argument.dtype if is_tensor(argument) else argument if _is_dtype(argument) else dtype
    # Torch returns the tensor itself where nothing changes.
    return Call("to", (input,), tuple(input.shape), {}, dtype, dtype in (None, input.dtype))


def _infer_conversion(dtype: str | None) -> Callable[..., Call]:
    def infer_conversion(input: TensorLike, *more: Any, **named_more: Any) -> Call:
        """Convert to the element type that the function is named after."""
        del more, named_more
        unchanged = dtype in (None, name_dtype(input.dtype))
        return Call("to", (input,), tuple(input.shape), {}, dtype, unchanged)

    return infer_conversion


_CONVERSIONS = {
    "float": "float32",
    "half": "float16",
    "double": "float64",
    "bfloat16": "bfloat16",
    "long": "int64",
    "int": "int32",
    "bool": "bool",
    "cpu": None,
    "cuda": None,
}


def infer_copy(input: TensorLike, src: TensorLike, non_blocking: bool = False) -> Call:
    """Overwrite elements with those of another tensor."""
    if broadcast(tuple(src.shape), tuple(input.shape)) != tuple(input.shape):
        raise NotDescribed
    return Call("copy", (input, src), tuple(input.shape), in_place=True)


def infer_repeat(input: TensorLike, *repeats: Any) -> Call:
    """Repeat the tensor along each dimension."""
    times = repeats[0] if len(repeats) == 1 and not isinstance(repeats[0], int) else repeats
    if any(not isinstance(each, int) or each < 0 for each in times) or len(times) < input.dim():
        raise NotDescribed
    shape = (1,) * (len(times) - input.dim()) + tuple(input.shape)
    return Call("repeat", (input,), tuple([n * size for n, size in zip(times, shape, strict=True)]))


def infer_tile(input: TensorLike, *dims: Any) -> Call:
    """Repeat the tensor as ``repeat`` does, if fewer repetitions than dimensions may be given."""
    times = tuple(dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims)
    return infer_repeat(input, (1,) * (input.dim() - len(times)) + times)


def infer_repeat_interleave(input: TensorLike, repeats: int, dim: int | None = None) -> Call:
    """Repeat every slice several times in a row."""
    if not isinstance(repeats, int):
        raise NotDescribed
    if dim is None:
        return Call("repeat_interleave", (input,), (input.numel() * repeats,))
    shape = list(input.shape)
    shape[wrap_dimension(dim, len(shape))] *= repeats
    return Call("repeat_interleave", (input,), tuple(shape))


def infer_meshgrid(*tensors: Any, indexing: str | None = None) -> Call:
    """Spread coordinates over a grid."""
    if len(tensors) == 1 and not is_tensor(tensors[0]):
        tensors = tuple(tensors[0])
    sizes = [tensor.numel() for tensor in tensors]
    if indexing == "xy" and len(sizes) > 1:
        sizes[:2] = sizes[1], sizes[0]
    shape = tuple(sizes)
    others = tuple([(shape, tensor.dtype) for tensor in tensors[1:]])
    return Call("meshgrid", tensors, shape, {}, others=others, pack=tuple)


def _infer_rearranged(op: str) -> Callable[..., Call]:
    def infer_rearranged(input: TensorLike, *more: Any, **named_more: Any) -> Call:
        """Move elements to other places, keeping the shape."""
        return Call(op, (input,), tuple(input.shape))

    return infer_rearranged


def infer_roll(input: TensorLike, shifts: Any, dims: Any = None) -> Call:
    """Shift the elements, those at the end to the front."""
    del shifts, dims
    return Call("roll", (input,), tuple(input.shape))


def infer_pixel_shuffle(input: TensorLike, upscale_factor: int) -> Call:
    """Spread channels over a finer grid."""
    shape, n = tuple(input.shape), upscale_factor
    if len(shape) < 3 or shape[-3] % (n * n):
        raise NotDescribed
    return Call("pixel_shuffle", (input,), (*shape[:-3], shape[-3] // (n * n), shape[-2] * n, shape[-1] * n))


def infer_pixel_unshuffle(input: TensorLike, downscale_factor: int) -> Call:
    """Put neighbours in the grid into channels."""
    shape, n = tuple(input.shape), downscale_factor
    if len(shape) < 3 or shape[-2] % n or shape[-1] % n:
        raise NotDescribed
    return Call("pixel_unshuffle", (input,), (*shape[:-3], shape[-3] * n * n, shape[-2] // n, shape[-1] // n))


def infer_im2col(
    input: TensorLike, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Call:
    """Copy every window of an image into a column."""
    shape = tuple(input.shape)
    kernel = per_dimension(kernel_size, 2)
    windows = zip(
        shape[-2:],
        kernel,
        *(per_dimension(argument, 2) for argument in (dilation, padding, stride)),
        strict=True,
    )
    blocks = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in windows]
    if len(shape) not in (3, 4) or min(blocks) < 1:
        raise NotDescribed
    return Call("im2col", (input,), (*shape[:-3], shape[-3] * kernel[0] * kernel[1], blocks[0] * blocks[1]))


def padding_gradient(record: OpRecord, attributes: Padding, operand: int) -> Work:
    """Nothing for constants; one addition per element of padding that mirrors or repeats the input."""
    return Work() if attributes.mode == "constant" else repeating_padding_gradient(record, operand)


def repeating_padding_gradient(record: OpRecord, operand: int) -> Work:
    """One addition per element of padding, which mirrors or repeats the input."""
    grown = prod(record.output_shape) - prod(record.input_shapes[operand])
    return Work(arithmetic=max(grown, 0))


def copy_gradient(record: OpRecord, operand: int) -> Work:
    """Nothing; n-1 additions where the source was broadcast to n places. What was there before gets zeros."""
    if not operand:
        return Work()
    return Work(arithmetic=max(prod(record.output_shape) - prod(record.input_shapes[operand]), 0))


def unfolding_gradient(record: OpRecord, operand: int) -> Work:
    """One addition per element of every window, back to its place."""
    del operand
    return Work(arithmetic=prod(record.output_shape))


# Joined tensors.
_declare(
    "cat", bindings=binding(infer_cat, "*.cat", "*.concat", "*.concatenate", repeated=True), window="keeps"
)
_declare("stack", bindings=binding(infer_stack, "*.stack", repeated=True))
_declare("_chunk_cat", "block_diag", "concat", "hstack", "pad_sequence", "vstack")
_declare(
    "quantized.cat",
    gradient=stopped_gradient(QUANTISED),
)
_declare("complex")

# Padded tensors.
_declare(
    "pad",
    attributes=Padding,
    bindings=binding(infer_pad, "nn.functional.pad", repeated=True),
    gradient=each_gradient(padding_gradient, takes=(0,)),
    window="keeps",
    saves=None,
)
_declare("constant_pad_nd", gradient=moved_gradient((0,)), window="keeps")
_declare(
    *(f"{kind}_pad{n}d" for kind in ("reflection", "replication") for n in (1, 2, 3)),
    gradient=each_gradient(repeating_padding_gradient, takes=(0,)),
    window="keeps",
    saves=("input",),
)

# The same elements elsewhere or in another type; if they are there already, torch copies nothing.
_declare("clone", bindings=binding(infer_clone, "clone", "Tensor.clone", repeated=True), window="keeps")
_declare(
    "contiguous",
    bindings=binding(infer_contiguous, "Tensor.contiguous", repeated=True),
    window="keeps",
    shares="sometimes",
)
_declare(
    "to",
    bindings=(
        binding(infer_to, "Tensor.to", "Tensor.type_as", repeated=True),
        *(
            binding(_infer_conversion(dtype), f"Tensor.{function}", repeated=True)
            for function, dtype in _CONVERSIONS.items()
        ),
    ),
    aten=("_to_copy",),
    window="keeps",
    shares="sometimes",
)
_declare("_to_dense", "to_dense", saves=None, shares="sometimes")
_declare("resolve_conj", "resolve_neg", shares="sometimes")
_declare("_pin_memory", "pin_memory", shares="sometimes")
_declare(
    "copy",
    bindings=binding(infer_copy, "Tensor.copy_"),
    gradient=each_gradient(copy_gradient),
)

# Repeated elements.
_declare(
    "repeat",
    bindings=(binding(infer_repeat, "*.repeat"), binding(infer_tile, "*.tile")),
    runs=True,
    gradient=ADDED_UP,
)
_declare(
    "repeat_interleave", bindings=binding(infer_repeat_interleave, "*.repeat_interleave"), gradient=ADDED_UP
)
_declare("tile", gradient=ADDED_UP)
# Its outputs are expanded views, and so share memory although they are listed as copies.
_declare("meshgrid", bindings=binding(infer_meshgrid, "meshgrid"), gradient=SPREAD_OUT, shares="each")
_declare("combinations", gradient=LOOKED_UP, saves=None)

# Rearranged elements.
for _op in ("flip", "tril", "triu", "channel_shuffle"):
    _declare(_op, bindings=binding(_infer_rearranged(_op), f"*.{_op}"), runs=True)
_declare("roll", bindings=binding(infer_roll, "*.roll", repeated=True))
_declare("pixel_shuffle", bindings=binding(infer_pixel_shuffle, "*.pixel_shuffle"), runs=True)
_declare("pixel_unshuffle", bindings=binding(infer_pixel_unshuffle, "*.pixel_unshuffle"), runs=True)
_declare("diag", "diag_embed", "rot90")
# The factors of an LU factorisation, which lie in one matrix, are put in matrices of their own.
_declare("lu_unpack", gradient=moved_gradient((0,)))
_declare(
    "im2col",
    bindings=binding(infer_im2col, "nn.functional.unfold"),
    gradient=each_gradient(unfolding_gradient, takes=(0,)),
)
_declare("_pack_padded_sequence", gradient=moved_gradient((0,)), saves=None)

# The copying variants of views, which programs without aliases use.
_declare(
    "_reshape_copy", "alias_copy", "diagonal_copy", "lift_fresh_copy", "narrow_copy", "permute_copy",
    "select_copy", "slice_copy", "split_copy", "split_with_sizes_copy", "squeeze_copy", "t_copy",
    "transpose_copy", "unbind_copy", "unsqueeze_copy", "view_copy",
)  # fmt: skip
_declare("as_strided_copy", "unfold_copy", gradient=LOOKED_UP)
_declare("expand_copy", gradient=ADDED_UP)
_declare("detach_copy", gradient=stopped_gradient("it passes the tensor on without its history"))


def unknown_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...] | None:
    """Not known: one addition for each element that was read more than once, but not how many were."""
    del record, needed
    return None


# What files have where sizes follow from values: the copy is free whatever they are.
_declare("copy of unknown size", gradient=joint_gradient(unknown_gradient))
