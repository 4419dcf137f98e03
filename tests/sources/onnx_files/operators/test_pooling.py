"""Pooling: windows that reach beyond the image on one side or both."""

import pytest
import torch.nn.functional as F
from torch import nn

from resflops.records import Work
from tests.sources.onnx_files.operators.nodes import Of, count_work, describe, read_node, trace_function

LINE, IMAGE, VOLUME = (2, 4, 9), (2, 4, 9, 8), (2, 4, 5, 6, 7)
CASES = {
    "MaxPool 1d": (nn.MaxPool1d(3, 2, 1), LINE, {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}),
    "MaxPool": (
        nn.MaxPool2d(3, 2, 1), IMAGE, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    ),
    "MaxPool of every other": (
        nn.MaxPool2d(2, 1, dilation=2), IMAGE, {"kernel_shape": [2, 2], "dilations": [2, 2]},
    ),
    "MaxPool in ceil mode": (
        nn.MaxPool2d(2, 2, ceil_mode=True), IMAGE,
        {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
    ),
    "MaxPool 3d": (nn.MaxPool3d(2), VOLUME, {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2]}),
    "AveragePool": (
        nn.AvgPool2d(3, 2, 1), IMAGE,
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    ),
    "AveragePool without padding": (
        nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGE,
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    ),
    "AveragePool 3d": (nn.AvgPool3d(2), VOLUME, {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2]}),
    "GlobalAveragePool 1d": (nn.AdaptiveAvgPool1d(1), LINE, {}),
    "GlobalAveragePool": (nn.AdaptiveAvgPool2d(1), IMAGE, {}),
    "GlobalAveragePool 3d": (nn.AdaptiveAvgPool3d(1), VOLUME, {}),
    "GlobalMaxPool": (nn.AdaptiveMaxPool2d(1), IMAGE, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_module_of_torch(name):
    module, shape, attributes = CASES[name]
    (node,) = read_node(name.partition(" ")[0], shape, **attributes)
    (own,) = trace_function(module, shape)
    assert describe([node]) == describe([own])
    shown = ("kernel", "stride", "padding")
    assert [node.attributes.get(each) for each in shown] == [own.attributes.get(each) for each in shown]


def test_the_place_of_each_maximum_is_a_second_output():
    node = read_node("MaxPool", IMAGE, kernel_shape=[2, 2], strides=[2, 2], outputs=2)
    own = trace_function(lambda x: F.max_pool2d(x, 2, return_indices=True), IMAGE)
    assert describe(node) == describe(own)


@pytest.mark.parametrize(
    ("attributes", "out", "window", "padding"),
    [
        pytest.param({"auto_pad": "SAME_UPPER"}, (5, 4), (3, 3), (1, 0), id="one more at the end"),
        pytest.param({"auto_pad": "SAME_LOWER"}, (5, 4), (3, 3), (1, 0), id="one more at the beginning"),
        pytest.param({"auto_pad": "VALID"}, (4, 3), (3, 3), (0, 0), id="none"),
        pytest.param({"pads": [0, 0, 2, 1]}, (5, 4), (3, 3), (0, 0), id="at the end alone"),
        pytest.param({"pads": [1, 2, 0, 2]}, (4, 5), (3, 3), (0, 2), id="more at the beginning"),
    ],
)
@pytest.mark.parametrize(
    ("name", "kind"), [("MaxPool", "comparisons"), ("AveragePool", "arithmetic")], ids=["maximum", "mean"]
)
def test_windows_are_counted_whole_where_padding_differs_at_both_ends(
    name, kind, attributes, out, window, padding
):
    (node,) = read_node(name, IMAGE, kernel_shape=[3, 3], strides=[2, 2], **attributes)
    assert node.output_shapes == ((2, 4, *out),)
    assert (node.attributes["kernel"], node.attributes["padding"]) == (window, padding)
    points = 8 * out[0] * out[1]
    assert count_work([node]) == Work(**{kind: points * (9 if name == "AveragePool" else 8)})


def test_a_window_has_no_more_elements_than_the_padded_image():
    (node,) = read_node("AveragePool", (1, 1, 4), kernel_shape=[8], strides=[4], pads=[1, 2], ceil_mode=1)
    assert count_work([node]) == Work(arithmetic=7 * node.output_shapes[0][-1])


def test_a_norm_of_windows_is_one_of_what_lies_in_them():
    node = read_node("LpPool", IMAGE, kernel_shape=[3, 2], strides=[3, 2], p=2)
    assert count_work(node) == Work(arithmetic=8 * 12 * 11, transcendental=8 * 12)
    whole = read_node("GlobalLpPool", IMAGE)
    assert count_work(whole) == Work(arithmetic=8 * (72 + 71), transcendental=8)


def test_maxima_are_put_back_in_their_places():
    small, places = (2, 4, 4, 4), Of("int64", 2, 4, 4, 4)
    node = read_node("MaxUnpool", small, places, kernel_shape=[2, 2], strides=[2, 2])
    own = trace_function(lambda x, at: F.max_unpool2d(x, at, 2), small, places)
    assert describe(node) == describe(own)


def test_more_than_three_dimensions_are_pooled_whole_and_not_by_windows():
    shape = (2, 3, 2, 2, 2, 2)
    assert count_work(read_node("GlobalAveragePool", shape)) == Work(arithmetic=96)
    assert [each.op for each in read_node("MaxPool", shape, kernel_shape=[2, 2, 2, 2])] == ["MaxPool"]
