"""Convolutions: what is padded, and how it is said."""

import pytest
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

from resflops.errors import ShapeError
from tests.sources.onnx_files.operators.nodes import count_work, describe, read_node, trace_function

IMAGE, KERNEL = (2, 4, 9, 8), (6, 2, 3, 3)


@pytest.mark.parametrize(
    ("attributes", "settings"),
    [
        pytest.param({}, {}, id="plain"),
        pytest.param({"pads": [1, 2, 1, 2], "strides": [2, 1]}, {"padding": (1, 2), "stride": (2, 1)},
                     id="padded"),
        pytest.param({"dilations": [2, 2]}, {"dilation": 2}, id="dilated"),
        pytest.param({"auto_pad": "SAME_UPPER"}, {"padding": 1}, id="padded by itself"),
        pytest.param({"auto_pad": "VALID"}, {}, id="not padded"),
    ],
)  # fmt: skip
def test_it_is_the_convolution_of_torch(attributes, settings):
    (node,) = read_node("Conv", IMAGE, KERNEL, (6,), group=2, **attributes)
    (own,) = trace_function(
        lambda x, weight, bias: F.conv2d(x, weight, bias, groups=2, **settings), IMAGE, KERNEL, (6,)
    )
    assert describe([node]) == describe([own])
    assert node.attributes == own.attributes


MAP, TAPS = (2, 4, 5, 6), (4, 3, 3, 3)


@pytest.mark.parametrize(
    ("attributes", "settings"),
    [
        pytest.param({}, {}, id="plain"),
        pytest.param({"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
                     {"stride": 2, "padding": 1, "output_padding": 1}, id="padded"),
        pytest.param({"group": 2, "dilations": [2, 2]}, {"groups": 2, "dilation": 2}, id="grouped"),
    ],
)  # fmt: skip
def test_a_transposed_one_is_that_of_torch(attributes, settings):
    groups = settings.get("groups", 1)
    (node,) = read_node("ConvTranspose", MAP, TAPS, (3 * groups,), **attributes)
    (own,) = trace_function(
        lambda x, weight, bias: F.conv_transpose2d(x, weight, bias, **settings), MAP, TAPS, (3 * groups,)
    )
    assert describe([node]) == describe([own])
    assert node.attributes == own.attributes


@pytest.mark.parametrize(
    ("attributes", "sizes"),
    [
        pytest.param({"strides": [2, 2], "output_shape": [10, 12]}, (10, 12), id="cut to a shape"),
        pytest.param({"strides": [2, 2], "auto_pad": "SAME_UPPER"}, (10, 12), id="cut to what is usual"),
        pytest.param({"strides": [2, 2], "auto_pad": "VALID"}, (11, 13), id="whole"),
    ],
)
def test_whatever_is_cut_off_every_point_meets_every_tap(attributes, sizes):
    (node,) = read_node("ConvTranspose", MAP, TAPS, **attributes)
    assert node.output_shapes == ((2, 3, *sizes),)
    assert count_work([node]).macs == 2 * 4 * 5 * 6 * 3 * 3 * 3


@pytest.mark.parametrize(
    "masked", [pytest.param(False, id="displaced"), pytest.param(True, id="displaced and masked")]
)
def test_a_deformed_one_is_that_of_torchvision(masked):
    image, kernel, offset, mask = (2, 4, 6, 6), (8, 2, 3, 3), (2, 18, 4, 4), (2, 9, 4, 4)
    (node,) = read_node("DeformConv", image, kernel, offset, (8,), mask if masked else None, group=2)

    def deform(x, weight, moved, bias, shares):
        return deform_conv2d(x, moved, weight, bias, mask=shares if masked else None)

    # Without a mask, torchvision makes an empty one.
    (*_, own) = trace_function(deform, image, kernel, offset, (8,), mask)
    assert count_work([node]) == count_work([own])
    assert node.output_shapes == own.output_shapes


def test_a_deformed_volume_is_uncounted():
    offset = (1, 3 * 27, 2, 2, 2)
    (node,) = read_node("DeformConv", (1, 2, 4, 4, 4), (2, 2, 3, 3, 3), offset)
    assert node.op == "DeformConv"


@pytest.mark.parametrize(("operator", "weight"), [("Conv", (6, 3, 3, 3)), ("ConvTranspose", (5, 3, 3, 3))])
def test_other_channels_are_refused(operator, weight):
    with pytest.raises(ShapeError, match="input channels, but its input has 4"):
        read_node(operator, MAP, weight)
