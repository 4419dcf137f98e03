"""Images resized, or read between their pixels."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from resflops.records import Work
from tests.sources.onnx_files.operators.nodes import count_work, describe, read_node, trace_function

LINE, IMAGE, VOLUME = (1, 3, 6), (1, 3, 6, 4), (1, 3, 2, 4, 4)


def factors(*given):
    return np.array((1.0, 1.0, *given), "float32")


CASES = {
    "nearest": (IMAGE, {"scale_factor": 2, "mode": "nearest"}, (None, factors(2, 2)), {"mode": "nearest"}),
    "linear": (LINE, {"scale_factor": 2, "mode": "linear"}, (None, factors(2)), {"mode": "linear"}),
    "bilinear": (IMAGE, {"scale_factor": 2, "mode": "bilinear"}, (None, factors(2, 2)), {"mode": "linear"}),
    "bilinear in one direction": (
        IMAGE, {"scale_factor": (1, 2), "mode": "bilinear"}, (None, factors(1, 2)), {"mode": "linear"},
    ),
    "bilinear to sizes": (
        IMAGE, {"size": (5, 9), "mode": "bilinear"}, (None, None, np.array((1, 3, 5, 9))), {"mode": "linear"},
    ),
    "bicubic": (IMAGE, {"scale_factor": 1.3, "mode": "bicubic"}, (None, factors(1.3, 1.3)),
                {"mode": "cubic"}),
    "trilinear": (VOLUME, {"scale_factor": 2, "mode": "trilinear"}, (None, factors(2, 2, 2)),
                  {"mode": "linear"}),
    "bilinear against aliasing": (
        IMAGE, {"size": (3, 2), "mode": "bilinear", "antialias": True},
        (None, None, np.array((1, 3, 3, 2))), {"mode": "linear", "antialias": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_resize_is_an_interpolation_of_torch(name):
    shape, asked, inputs, attributes = CASES[name]
    node = read_node("Resize", shape, *inputs, **attributes)
    own = trace_function(lambda x: F.interpolate(x, **asked), shape)
    assert count_work(node) == count_work(own)
    assert describe(node)[0][:3] == describe(own)[0][:3]
    assert node[0].attributes.get("size") == own[0].attributes.get("size")


def test_older_opsets_have_factors_elsewhere():
    newer = read_node("Resize", IMAGE, None, factors(2, 2), mode="linear")
    assert describe(read_node("Resize", IMAGE, factors(2, 2), mode="linear", opset=10)) == describe(newer)
    assert describe(read_node("Upsample", IMAGE, factors(2, 2), mode="linear", opset=9)) == describe(newer)
    attribute = read_node("Upsample", IMAGE, mode="linear", scales=[1.0, 1.0, 2.0, 2.0], opset=7)
    assert describe(attribute) == describe(newer)


def test_channels_that_stand_last_do_not_count_as_resized():
    node = read_node("Resize", (1, 6, 4, 3), None, np.array((1, 2, 2, 1), "float32"), mode="linear")
    assert count_work(node) == Work(arithmetic=12 * 8 * 3 * 7)


def test_a_mode_without_a_rule_is_uncounted():
    (cubic,) = read_node("Resize", LINE, None, factors(2), mode="cubic")
    (four,) = read_node("Resize", (1, 3, 2, 2, 2, 2), None, factors(2, 2, 2, 2), mode="linear")
    assert (cubic.op, four.op) == ("Resize", "Resize")


@pytest.mark.parametrize(
    ("mode", "opset", "name"),
    [
        pytest.param("bilinear", 16, "bilinear", id="bilinear"),
        pytest.param("linear", 20, "bilinear", id="bilinear by its new name"),
        pytest.param("nearest", 20, "nearest", id="nearest"),
        pytest.param("cubic", 20, "bicubic", id="bicubic"),
    ],
)
def test_a_grid_is_read_as_by_torch(mode, opset, name):
    node = read_node("GridSample", IMAGE, (1, 5, 5, 2), mode=mode, opset=opset)
    own = trace_function(
        lambda x, at: F.grid_sample(x, at, mode=name, align_corners=False), IMAGE, (1, 5, 5, 2)
    )
    assert describe(node) == describe(own)


def test_cubic_samples_of_a_volume_are_uncounted():
    (node,) = read_node("GridSample", VOLUME, (1, 2, 2, 2, 3), mode="cubic")
    assert node.op == "GridSample"


def test_an_affine_grid_is_a_product():
    node = read_node("AffineGrid", (2, 2, 3), np.array((2, 3, 4, 5)))
    own = trace_function(lambda x: F.affine_grid(x, (2, 3, 4, 5), align_corners=False), (2, 2, 3))
    assert count_work(node) == count_work(own) == Work(macs=2 * 4 * 5 * 2 * 3)


def test_boxes_are_sampled_as_often_as_the_node_says():
    boxes, places = (5, 4), torch.zeros(5, dtype=torch.int64).numpy()
    sizes = {"output_height": 7, "output_width": 7}
    node = read_node("RoiAlign", (1, 3, 8, 8), boxes, places, sampling_ratio=2, **sizes)
    assert count_work(node) == Work(arithmetic=5 * 3 * 49 * (4 * 7 + 3 + 1))
    for attributes in ({"sampling_ratio": 0}, {"sampling_ratio": 2, "mode": "max"}):
        (node,) = read_node("RoiAlign", (1, 3, 8, 8), boxes, places, **attributes, **sizes)
        assert node.op == "RoiAlign"


def test_a_crop_does_not_change_what_a_resize_costs():
    region = np.array((0, 0, 0.2, 0.2, 1, 1, 0.8, 0.8), "float32")
    node = read_node(
        "Resize", IMAGE, region, None, np.array((1, 3, 5, 9)), mode="linear",
        coordinate_transformation_mode="tf_crop_and_resize",
    )  # fmt: skip
    assert count_work(node) == Work(arithmetic=5 * 9 * 3 * 7)
