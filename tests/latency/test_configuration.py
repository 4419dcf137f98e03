"""What is measured, in which combinations."""

import pytest

from resflops.errors import UsageError
from resflops.latency import Configuration, grid
from resflops.latency.configuration import activation_itemsize, itemsize, list_left_out

MODELS = [("resnet20", (3, 32, 32)), ("resnet32", (3, 32, 32))]


def test_models_that_are_compared_stand_side_by_side():
    found = grid(MODELS, device="cpu", batches=[1, 8], dtypes=["float32", "bfloat16"])
    assert [(each.batch, each.dtype, each.model) for each in found] == [
        (batch, dtype, model)
        for batch in (1, 8)
        for dtype in ("float32", "bfloat16")
        for model in ("resnet20", "resnet32")
    ]


def test_a_combination_that_is_named_twice_is_measured_once():
    assert len(grid(MODELS, device="cpu", batches=[1, 1], dtypes=["float32", "float32"])) == 2


def test_autocast_leaves_float32_alone():
    found = grid(MODELS[:1], device="cuda", dtypes=["float32", "float16"], autocast=True)
    assert [(each.dtype, each.autocast) for each in found] == [("float32", False), ("float16", True)]


def test_a_mode_that_tries_kernels_is_measured_on_every_device():
    for device in ("cpu", "cuda"):
        (found,) = grid(MODELS[:1], device=device, modes=["compile-max-autotune"])
        assert found.describe() == "resnet20, batch 1, float32, compile-max-autotune"


def test_all_but_the_model_and_its_input_is_the_setting():
    first, second = grid(MODELS, device="cuda", modes=["cuda-graph"], cold_l2=True)
    assert first.setting == second.setting
    assert first.describe() == "resnet20, batch 1, float32, cuda-graph, cold L2"
    assert Configuration(model="x", device="cpu").setting.describe() == "batch 1, float32"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"dtypes": ["flaot16"]}, "dtype 'flaot16' is unknown; closest: float16"),
        ({"modes": ["cuda-graph"]}, "'cuda-graph' needs a CUDA device, and the device is cpu"),
        (
            {"modes": ["compile-reduce-overhead"]},
            "'compile' with CUDA graphs, so it needs a CUDA device, and the device is cpu; use 'compile'",
        ),
        ({"cold_l2": True}, "cold L2 cache can only be measured on a CUDA device, and the device is cpu"),
    ],
)
def test_what_a_device_has_not_is_refused(settings, says):
    with pytest.raises(UsageError, match=says):
        grid(MODELS, device="cpu", **settings)


def test_a_combination_that_one_backend_does_not_take_is_measured_with_the_others():
    found = grid(
        MODELS[:1],
        device="cpu",
        dtypes=["float32", "int8-static"],
        memory_formats=["contiguous", "channels_last"],
        backends=["torch", "onnxruntime"],
    )
    assert [(each.backend, each.dtype, each.memory_format) for each in found] == [
        ("torch", "float32", "contiguous"),
        ("onnxruntime", "float32", "contiguous"),
        ("torch", "float32", "channels_last"),
        ("onnxruntime", "int8-static", "contiguous"),
    ]
    assert list_left_out(found) == [
        "backend 'torch' with int8-static",
        "backend 'onnxruntime' with channels_last",
    ]
    assert list_left_out(grid(MODELS, device="cpu", backends=["torch", "onnxruntime"])) == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"backends": ["onx"]}, "backend 'onx' is unknown; closest: onnx"),
        ({"backends": ["tensorrt"]}, "backend 'tensorrt' is unknown.*; available: torch, onnxruntime, openvino"),
        ({"backends": ["torch", "onnxruntime"], "training": True}, "backend 'onnxruntime' does not support training"),
        ({"dtypes": ["int8-static"]}, "dtype 'int8-static' is not supported by backend 'torch' on device 'cpu'; backends that support it: onnxruntime"),
        ({"dtypes": ["int8"]}, "dtype 'int8' is unknown; closest: int8-dynamic, int8-static"),
        ({"backends": ["onnxruntime"], "dtypes": ["float64", "float32"]}, "dtype 'float64' is not supported by backend 'onnxruntime'"),
        ({"backends": ["torch", "onnxruntime"], "modes": ["compile"]}, "backend 'onnxruntime' does not support mode 'compile'; it supports: eager"),
        ({"backends": ["onnxruntime"], "modes": ["cuda-graph"]}, "mode 'cuda-graph' is not supported by backend 'onnxruntime'; backends that support it: torch"),
        ({"backends": ["openvino"], "device": "cuda"}, "backend 'openvino' cannot run on device 'cuda'; it runs on: cpu"),
    ],
    ids=str,
)  # fmt: skip
def test_what_no_backend_takes_is_refused(settings, says):
    with pytest.raises(UsageError, match=says):
        grid(MODELS, **{"device": "cpu", **settings})


@pytest.mark.parametrize(
    ("name", "backend"),
    [("ORT", "onnxruntime"), ("onnx-runtime", "onnxruntime"), ("PyTorch", "torch"), ("OpenVINO", "openvino")],
)
def test_a_backend_has_the_names_that_people_use(name, backend):
    assert {each.backend for each in grid(MODELS, device="cpu", backends=[name])} == {backend}


def test_a_weight_of_int8_has_one_byte_and_what_is_between_ops_as_many_as_it_is_computed_in():
    assert [itemsize(dtype) for dtype in ("float32", "int8-dynamic", "int8-static")] == [4, 1, 1]
    assert [activation_itemsize(dtype) for dtype in ("float32", "int8-dynamic", "int8-static")] == [4, 4, 1]
