"""Ops that no gradient passes, one reason a group.

An op that gives whole numbers or truth values passes none either, whatever its name.
"""

from resflops.gradients.registry import stops_gradient

stops_gradient("it hands the tensor on without its history", "detach", "detach_copy")
stops_gradient(
    "it answers a question, and its result does not change with small changes of the input",
    "eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit",
    "argmax", "argmin", "argsort", "all", "any", "count_nonzero", "nonzero", "one_hot", "searchsorted",
    "bucketize", "histc", "bincount", "heaviside", "nextafter", "unique", "unique_consecutive",
    "is_same_size", "is_pinned", "item", "_local_scalar_dense",
)  # fmt: skip
stops_gradient(
    "it is defined for whole numbers or truth values only, or gives such",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "bitwise_left_shift",
    "bitwise_right_shift", "logical_and", "logical_or", "logical_not", "logical_xor", "floor_divide", "gcd",
    "lcm", "_int_mm", "quantize_per_tensor", "quantize_per_channel",
)  # fmt: skip
stops_gradient(
    "what was in the tensor is overwritten",
    "fill", "zero", "normal", "uniform", "bernoulli", "cauchy", "exponential", "geometric", "log_normal",
    "random",
)  # fmt: skip
stops_gradient(
    "it makes a tensor that depends on no input",
    "arange", "empty", "empty_like", "empty_strided", "empty_permuted", "eye", "full", "full_like",
    "linspace", "logspace", "new_empty", "new_empty_strided", "new_full", "new_ones", "new_zeros", "ones",
    "ones_like", "poisson", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
    "randperm", "scalar_tensor", "tensor", "tril_indices", "triu_indices", "multinomial", "zeros",
    "zeros_like", "blackman_window", "hamming_window", "hann_window",
)  # fmt: skip
stops_gradient(
    "bookkeeping: it works on no element",
    "_assert_async", "_assert_scalar", "_assert_tensor_metadata", "_linalg_check_errors",
    "_functional_assert_async", "sym_constrain_range", "sym_constrain_range_for_size", "sym_size",
    "sym_stride", "sym_numel", "sym_storage_offset",
)  # fmt: skip
stops_gradient(
    "it is a quantised layer or product, which torch has no backward pass for",
    "linear_relu", "quantized.cat", "_scaled_mm",
    "_weight_int4pack_mm", "_weight_int8pack_mm",
)  # fmt: skip
stops_gradient("it leaves torch, and autograd with it", "numpy", "__array__", "__dlpack__")
