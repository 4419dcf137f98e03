"""Every op that has a work rule is called in some case of the modules beside this one, or is named here."""

import runpy
from pathlib import Path

import pytest

from resflops.ops import OPS

OTHERWISE = "torch runs it as other ops, whose names it is recorded by; users' rules may still name it"
QUANTISED = "a quantised layer has no float model to call in another style"
KERNEL = "a kernel for types that its caller prepares, most of them on GPUs"
VALUES = "its values decide what comes out, so that it runs for real and in eager mode only"
WITHOUT = {
    **dict.fromkeys(("rsub", "true_divide", "inner", "softmin", "fmax", "fmin", "rrelu"), OTHERWISE),
    **dict.fromkeys(("conj_physical", "linalg_vector_norm"), OTHERWISE),
    **dict.fromkeys(("linear_relu", "conv1d_relu", "conv2d_relu", "conv3d_relu"), QUANTISED),
    **dict.fromkeys(("quantize_per_tensor", "quantize_per_channel", "dequantize"), QUANTISED),
    **dict.fromkeys(("_int_mm", "_scaled_mm", "_weight_int8pack_mm", "_weight_int4pack_mm"), KERNEL),
    **dict.fromkeys(("_grouped_mm", "_scaled_grouped_mm"), KERNEL),
    "ldexp": "torch 2.6 runs it as a power and a product, newer ones as an op",
    **dict.fromkeys(("torchvision.nms", "unique", "unique_consecutive", "bincount"), VALUES),
}


@pytest.fixture(scope="module")
def tables():
    """The cases of every module that has some."""
    modules = {path.stem: runpy.run_path(str(path)) for path in Path(__file__).parent.glob("test_*.py")
               if path != Path(__file__)}  # fmt: skip
    return {name: module["CASES"] for name, module in modules.items() if "CASES" in module}


def test_every_op_that_is_counted_is_called_by_a_case_or_named(tables, trace_style):
    called = {
        op.op
        for cases in tables.values()
        for case in cases.values()
        for style in ("eager", "fallback")
        for op in trace_style(style, *case).ops
    }
    counted = {name for name, known in OPS.items() if known.work and known.origin == "resflops"}
    assert counted - called == set(WITHOUT)
    assert all(WITHOUT.values())
