"""Ops that do no arithmetic, one reason a group."""

from resflops.rules.registry import free

free(
    "a view: the same memory under another shape",
    "alias", "as_strided", "broadcast_to", "chunk", "detach", "diagonal", "expand", "expand_as",
    "flatten", "getitem", "hsplit", "movedim", "moveaxis", "mT", "narrow", "permute", "ravel", "real",
    "reshape", "reshape_as", "select", "slice", "split", "split_with_sizes", "squeeze", "swapaxes",
    "swapdims", "t", "T", "tensor_split", "transpose", "unbind", "unflatten", "unfold", "unsqueeze",
    "unsafe_chunk", "unsafe_split", "view", "view_as", "vsplit", "lift_fresh", "unsafe_view",
)  # fmt: skip
free(
    "data movement: elements are copied, none is computed",
    "cat", "clone", "concat", "contiguous", "copy", "embedding", "expand_copy", "flip", "gather",
    "hstack", "im2col", "index", "index_put", "index_select", "masked_fill", "masked_select", "one_hot",
    "pad", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "repeat", "repeat_interleave", "roll",
    "scatter", "setitem", "stack", "take", "take_along_dim", "tile", "to", "tril", "triu", "vstack",
    "where", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d",
    "replication_pad1d", "replication_pad2d", "replication_pad3d", "meshgrid",
)  # fmt: skip
free(
    "creation: a constant or random tensor is filled, no input is computed on",
    "arange", "bernoulli", "empty", "empty_like", "empty_strided", "eye", "fill", "full", "full_like",
    "linspace", "new_empty", "new_full", "new_ones", "new_zeros", "normal", "ones", "ones_like", "rand",
    "rand_like", "randint", "randn", "randn_like", "randperm", "scalar_tensor", "tensor", "uniform",
    "zero", "zeros", "zeros_like",
)  # fmt: skip
free(
    "bookkeeping: it changes no element",
    "identity", "requires_grad", "set", "resize",
)  # fmt: skip
