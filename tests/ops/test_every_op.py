"""Every op that has a work rule is called in some case of the modules beside this one, or is named here."""

import runpy
from pathlib import Path

import pytest

from resflops.ops import OPS

OTHERWISE = "torch runs it as other ops, whose names it is recorded by; users' rules may still name it"
QUANTISED = "a quantised layer has no float model to call in another style"
KERNEL = "a kernel for types that its caller prepares, most of them on GPUs"
LIBRARY = "a kernel of another library; test_kernels.py holds it against the same in plain torch"
FILES = "only files have it; tests/sources/onnx_files/operators reads nodes of it"
VALUES = "its values decide what comes out, so that it runs for real and in eager mode only"
SIBLING = "it is read like the op of its kind that a case of test_backward calls"
SPARSE = "a sparse tensor is no operand of a case; tests/tracing/test_formats.py calls it"
WITHOUT = {
    **dict.fromkeys(("_coalesce", "sparse_mm", "sparse_sampled_addmm"), SPARSE),
    **dict.fromkeys(("rsub", "true_divide", "inner", "softmin", "fmax", "fmin", "rrelu"), OTHERWISE),
    **dict.fromkeys(("conj_physical", "linalg_vector_norm"), OTHERWISE),
    **dict.fromkeys(
        (
            "linear_relu",
            "linear_tanh",
            "linear_leaky_relu",
            "conv1d_relu",
            "conv2d_relu",
            "conv3d_relu",
            "conv2d_add",
            "conv2d_add_relu",
        ),
        QUANTISED,
    ),
    **dict.fromkeys(
        [name for name, known in OPS.items() if name.startswith("quantized.") and known.work], QUANTISED
    ),
    **dict.fromkeys(("quantize_per_tensor", "quantize_per_channel", "dequantize"), QUANTISED),
    **dict.fromkeys(("_int_mm", "_scaled_mm", "_weight_int8pack_mm", "_weight_int4pack_mm"), KERNEL),
    **dict.fromkeys(("_grouped_mm", "_scaled_grouped_mm"), KERNEL),
    **dict.fromkeys(("packed_product", "fused_attention", "neighbourhood_product", "causal_conv1d"), LIBRARY),
    **dict.fromkeys(("selective_scan", "chunk_scan"), LIBRARY),
    **{
        f"bitsandbytes.{name}": LIBRARY
        for name in (
            "int8_vectorwise_quant",
            "int8_vectorwise_dequant",
            "int8_mm_dequant",
            "int8_double_quant",
            "quantize_4bit",
            "quantize_blockwise",
            "dequantize_4bit",
            "dequantize_blockwise",
        )
    },
    "hash_tensor": "torch has it since 2.9",
    "_ctc_loss": "its lengths are read off tensors, so that no other style of calling it can be made",
    **dict.fromkeys(
        (
            f"_scaled_dot_product_{kind}_backward"
            for kind in (
                "cudnn_attention",
                "efficient_attention",
                "flash_attention",
                "flash_attention_for_cpu",
                "fused_attention_overrideable",
            )
        ),
        KERNEL,
    ),
    **dict.fromkeys(
        (
            "batch_norm_backward",
            "convolution_backward_overrideable",
            "cudnn_batch_norm_backward",
            "miopen_batch_norm_backward",
            "mkldnn_linear_backward",
            "mkldnn_max_pool2d_backward",
            "mkldnn_max_pool3d_backward",
            "_embedding_bag_dense_backward",
            "linear_backward",
            "matmul_backward",
        ),
        KERNEL,
    ),
    **dict.fromkeys(
        (
            "_fused_rms_norm_backward",
            "binary_cross_entropy_backward",
            "fractional_max_pool2d_backward",
            "fractional_max_pool3d_backward",
            "grid_sampler_3d_backward",
            "huber_loss_backward",
            "mish_backward",
            "native_dropout_backward",
            "nll_loss_backward",
            "nll_loss2d_backward",
            "rrelu_with_noise_backward",
            "smooth_l1_loss_backward",
            "soft_margin_loss_backward",
            "upsample_bicubic2d_backward",
            "upsample_linear1d_backward",
            "upsample_trilinear3d_backward",
            *(f"{kind}_pad{n}d_backward" for kind in ("reflection", "replication") for n in (2, 3)),
            *(f"upsample_nearest{n}d_backward" for n in (1, 3)),
            *(f"_upsample_nearest_exact{n}d_backward" for n in (1, 2, 3)),
            *(f"_upsample_{mode}2d_aa_backward" for mode in ("bicubic", "bilinear", "lanczos")),
        ),
        SIBLING,
    ),
    **dict.fromkeys(("lp_pool1d", "lp_pool2d", "lp_pool3d", "non_max_suppression"), FILES),
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
