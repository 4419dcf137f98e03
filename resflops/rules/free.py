"""Ops that do no arithmetic, one reason a group."""

from resflops.rules.registry import free

free(
    "a view: the same memory under another shape",
    "alias", "as_strided", "broadcast_to", "chunk", "detach", "diagonal", "expand", "expand_as",
    "flatten", "getitem", "hsplit", "movedim", "moveaxis", "mT", "narrow", "permute", "ravel", "real",
    "reshape", "reshape_as", "select", "slice", "split", "split_with_sizes", "squeeze", "swapaxes",
    "swapdims", "t", "T", "tensor_split", "transpose", "unbind", "unflatten", "unfold", "unsqueeze",
    "unsafe_chunk", "unsafe_split", "view", "view_as", "vsplit", "lift_fresh", "unsafe_view",
    "broadcast_tensors", "conj", "imag", "lift", "positive", "unsafe_split_with_sizes", "view_as_complex",
    "view_as_real",
)  # fmt: skip
free(
    "data movement: elements are copied, none is computed",
    "cat", "clone", "concat", "contiguous", "copy", "expand_copy", "flip", "gather",
    "hstack", "im2col", "index", "index_put", "index_select", "masked_fill", "masked_select", "nonzero",
    "pad", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "repeat", "repeat_interleave",
    "roll", "scatter", "setitem", "stack", "take", "take_along_dim", "tile", "to", "tril", "triu", "vstack",
    "where", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d",
    "replication_pad1d", "replication_pad2d", "replication_pad3d", "meshgrid", "unfold_copy", "complex",
    "block_diag", "combinations", "diag", "diag_embed", "diagonal_scatter", "as_strided_scatter",
    "select_scatter", "slice_scatter", "index_copy", "index_fill", "masked_scatter", "max_unpool1d",
    "max_unpool2d", "max_unpool3d", "narrow_copy", "pad_sequence", "put", "rot90",
    "_pack_padded_sequence", "_unsafe_index", "_unsafe_masked_index", "_pin_memory", "pin_memory",
    "_chunk_cat", "view_copy", "permute_copy", "slice_copy", "select_copy", "as_strided_copy", "alias_copy",
    "detach_copy", "t_copy", "transpose_copy", "squeeze_copy", "unsqueeze_copy", "unbind_copy",
    "split_copy", "split_with_sizes_copy", "diagonal_copy", "lift_fresh_copy", "_to_dense", "to_dense",
    "_reshape_copy", "quantized.cat",
)  # fmt: skip
free(
    "creation: a constant or random tensor is filled, no input is computed on",
    "arange", "bernoulli", "empty", "empty_like", "empty_strided", "eye", "fill", "full", "full_like",
    "linspace", "new_empty", "new_full", "new_ones", "new_zeros", "normal", "ones", "ones_like", "rand",
    "rand_like", "randint", "randn", "randn_like", "randperm", "scalar_tensor", "tensor", "uniform",
    "zero", "zeros", "zeros_like", "cauchy", "empty_permuted", "exponential", "geometric", "log_normal",
    "logspace", "new_empty_strided", "poisson", "randint_like", "tril_indices", "triu_indices", "random",
    "multinomial", "blackman_window", "hamming_window", "hann_window",
)  # fmt: skip
free(
    "bookkeeping: it changes no element",
    "identity", "requires_grad", "set", "resize", "_assert_async", "_assert_scalar",
    "_assert_tensor_metadata", "_linalg_check_errors", "_functional_assert_async", "sym_constrain_range",
    "sym_constrain_range_for_size", "_local_scalar_dense", "is_same_size", "sym_size", "sym_stride",
    "sym_numel", "sym_storage_offset", "is_pinned", "item", "_resize_output", "resize_as",
)  # fmt: skip
