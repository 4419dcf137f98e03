"""What is measured, in which combinations."""

import pytest

from resflops.errors import UsageError
from resflops.latency import Configuration, grid

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
