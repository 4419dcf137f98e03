"""Gradients of ops that move elements: moved back, or added up where one was copied to several places."""

from math import prod

from resflops.gradients.registry import gradient_rule, moves_gradient
from resflops.records import OpRecord, Work

# The gradient of a view is a view, that of a copy is a copy, of pieces their join.
moves_gradient(
    "alias", "alias_copy", "chunk", "clone", "complex", "conj", "contiguous", "diag", "diag_embed",
    "diagonal", "diagonal_copy", "flatten", "flip", "hsplit", "identity", "imag", "lift", "lift_fresh",
    "lift_fresh_copy", "movedim", "moveaxis", "mT", "narrow", "narrow_copy", "permute", "permute_copy",
    "pin_memory", "_pin_memory", "positive", "ravel", "real", "requires_grad", "reshape", "reshape_as",
    "_reshape_copy", "resize", "resize_as", "_resize_output", "roll", "rot90", "select", "select_copy",
    "set", "slice", "slice_copy", "split", "split_copy", "split_with_sizes", "split_with_sizes_copy",
    "squeeze", "squeeze_copy", "swapaxes", "swapdims", "t", "T", "t_copy", "tensor_split", "to",
    "to_dense", "_to_dense", "transpose", "transpose_copy", "tril", "triu", "unbind", "unbind_copy",
    "unflatten", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes", "unsafe_view", "unsqueeze",
    "unsqueeze_copy", "view", "view_as", "view_as_complex", "view_as_real", "view_copy", "vsplit",
    "pixel_shuffle", "pixel_unshuffle", "channel_shuffle",
)  # fmt: skip
moves_gradient(
    "cat", "concat", "hstack", "stack", "vstack", "block_diag", "pad_sequence", "_chunk_cat",
)  # fmt: skip
moves_gradient("masked_fill", "masked_select", "index_fill", "_pack_padded_sequence", takes=(0,))
moves_gradient("max_unpool1d", "max_unpool2d", "max_unpool3d", takes=(0,))
moves_gradient("diagonal_scatter", "select_scatter", "slice_scatter", "as_strided_scatter", takes=(0, 1))
# A gradient looked up where the element was written. An index stands between, where it is a tensor.
moves_gradient("setitem", "scatter", "index_copy", "masked_scatter", "put", "index_put")


@gradient_rule(
    "expand", "expand_as", "expand_copy", "broadcast_to", "repeat", "repeat_interleave", "tile",
    takes=(0,),
)  # fmt: skip
def repetition_gradient(record: OpRecord, operand: int) -> Work:
    """n-1 additions where one element was repeated n times."""
    return Work(arithmetic=max(prod(record.output_shape) - prod(record.input_shapes[operand]), 0))


@gradient_rule("broadcast_tensors", "meshgrid")
def broadcast_gradient(record: OpRecord, operand: int) -> Work:
    """n-1 additions where one element was repeated n times."""
    return Work(arithmetic=prod(record.output_shapes[operand]) - prod(record.input_shapes[operand]))


@gradient_rule(
    "gather", "index", "index_select", "take", "take_along_dim", "_unsafe_index", "_unsafe_masked_index",
    "unfold", "unfold_copy", "as_strided", "as_strided_copy", "combinations",
    takes=(0,),
)  # fmt: skip
def lookup_gradient(record: OpRecord, operand: int) -> Work:
    """One addition per output element: the same element may have been looked up more than once."""
    del operand
    return Work(arithmetic=prod(record.output_shape))


@gradient_rule("getitem", takes=(0,))
def getitem_gradient(record: OpRecord, operand: int) -> Work:
    """Nothing for slices and numbers; by a tensor of indices one addition per output element."""
    del operand
    return Work(arithmetic=prod(record.output_shape)) if len(record.input_shapes) > 1 else Work()


@gradient_rule(
    "pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d",
    "replication_pad1d", "replication_pad2d", "replication_pad3d",
    takes=(0,),
)  # fmt: skip
def padding_gradient(record: OpRecord, operand: int) -> Work:
    """Nothing for constants; one addition per element of padding that mirrors or repeats the input."""
    constant = record.op == "constant_pad_nd" or record.attributes.get("mode") == "constant"
    grown = prod(record.output_shape) - prod(record.input_shapes[operand])
    return Work() if constant else Work(arithmetic=max(grown, 0))


@gradient_rule("where", takes=(1, 2))
def choice_gradient(record: OpRecord, operand: int) -> Work:
    """Nothing; n-1 additions where an input was broadcast to n places."""
    return Work(arithmetic=max(prod(record.output_shape) - prod(record.input_shapes[operand]), 0))


@gradient_rule("copy", takes=(1,))
def copy_gradient(record: OpRecord, operand: int) -> Work:
    """Nothing; n-1 additions where the source was broadcast to n places. What was there before has none."""
    return Work(arithmetic=max(prod(record.output_shape) - prod(record.input_shapes[operand]), 0))
