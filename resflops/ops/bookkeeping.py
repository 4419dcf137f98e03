"""Bookkeeping: ops that change no element, and those by which data leaves torch."""

from functools import partial

from resflops.ops._declaration import ANSWERS, moved_gradient, op, stopped_gradient
from resflops.ops._free import declare_free

FAMILY = "bookkeeping"

_declare = partial(declare_free, family=FAMILY, reason="bookkeeping: it changes no element", saves=())

_declare(
    "_resize_output", "identity", "requires_grad", "resize", "resize_as", "set",
    gradient=moved_gradient(),
    shares="always",
)  # fmt: skip
_declare(
    "_has_compatible_shallow_copy_type", "_has_same_storage_numel", "_local_scalar_dense", "can_cast",
    "is_pinned", "is_same_size", "is_set_to", "item", "promote_types", "result_type",
    gradient=stopped_gradient(ANSWERS),
)  # fmt: skip
_declare(
    "_assert_async", "_assert_scalar", "_assert_tensor_metadata", "_functional_assert_async",
    "_linalg_check_errors", "is_contiguous", "is_non_overlapping_and_dense", "is_strides_like_format",
    "profiler._record_function_enter", "profiler._record_function_enter_new",
    "profiler._record_function_exit", "size", "stride", "sym_constrain_range", "sym_constrain_range_for_size",
    "sym_is_contiguous", "sym_numel", "sym_size", "sym_storage_offset", "sym_stride",
    gradient=stopped_gradient("bookkeeping: it computes no element"),
)  # fmt: skip

# Not declared free: nobody sees what is done with the data outside torch, so they are reported as uncounted.
for _op in ("numpy", "__array__", "__dlpack__"):
    op(
        _op,
        family=FAMILY,
        gradient=stopped_gradient("it leaves torch, and with it autograd"),
        saves=(),
        shares="always",
    )
