"""Convolutions: what is padded, and how it is said."""

import pytest
import torch.nn.functional as F

from tests.sources.onnx_files.operators.nodes import describe, read_node, trace_function

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
