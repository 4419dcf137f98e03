"""Ops that do no arithmetic: what each of them declares."""

import pytest

from resflops.ops import OPS

FAMILIES = ("views", "slicing", "copies", "indexing", "creation", "bookkeeping")


def test_every_free_op_says_how_gradients_pass_it_and_what_it_shares():
    free = {name: known for name, known in OPS.items() if known.family in FAMILIES}
    assert {name for name, known in free.items() if not known.free} == {"numpy", "__array__", "__dlpack__"}
    assert all(known.gradient is not None and known.work is None for known in free.values())
    assert {
        name for name in ("view", "permute", "select", "detach") if free[name].shares != "always"
    } == set()
    assert {free[name].shares for name in ("reshape", "flatten", "contiguous", "to")} == {"sometimes"}
    assert {free[name].shares for name in ("cat", "pad", "gather", "zeros")} == {""}


@pytest.mark.parametrize(
    ("window", "ops"),
    [
        ("keeps", ("pad", "constant_pad_nd", "contiguous", "clone", "to", "cat")),
        ("flattens", ("flatten",)),
        ("slices", ("getitem", "slice")),
        ("", ("permute", "reshape", "select", "gather", "where")),
    ],
)
def test_receptive_fields_pass_free_ops(window, ops):
    assert {OPS[op].window for op in ops} == {window}
