"""Images whose channels lie by blocks or last, against torch's own ops."""

import pytest
import torch.nn.functional as F

import resflops
from tests.sources.onnx_files.graphs import model, node, tensor, unknown, weight
from tests.sources.onnx_files.operators.nodes import count_work, read_node, trace_function

IMAGE, LAST, KERNEL = (1, 16, 9, 8), (1, 9, 8, 16), (32, 16, 3, 3)
BLOCKS, NHWC = "com.microsoft.nchwc", "com.ms.internal.nhwc"

CASES = [
    pytest.param(
        read_node("Conv", IMAGE, KERNEL, (32,), (1, 32, 7, 6), domain=BLOCKS, activation="Relu"),
        trace_function(
            lambda x, w, b, more: F.relu(F.conv2d(x, w, b) + more), IMAGE, KERNEL, (32,), (1, 32, 7, 6)
        ),
        (1, 32, 7, 6), id="convolution of blocks",
    ),
    pytest.param(
        read_node("MaxPool", IMAGE, domain=BLOCKS, kernel_shape=[2, 2], strides=[2, 2]),
        trace_function(lambda x: F.max_pool2d(x, 2), IMAGE), (1, 16, 4, 4), id="pooling of blocks",
    ),
    pytest.param(
        read_node("Upsample", IMAGE, domain=BLOCKS, scales=[1, 1, 2, 2], mode="linear"),
        trace_function(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), IMAGE), (1, 16, 18, 16),
        id="larger blocks",
    ),
    pytest.param(
        read_node("Conv", LAST, KERNEL, (32,), domain=NHWC),
        trace_function(F.conv2d, IMAGE, KERNEL, (32,)), (1, 7, 6, 32), id="convolution with channels last",
    ),
    pytest.param(
        read_node("GlobalAveragePool", LAST, domain=NHWC),
        trace_function(lambda x: F.adaptive_avg_pool2d(x, 1), IMAGE), (1, 1, 1, 16),
        id="mean with channels last",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("records", "own", "shape"), CASES)
def test_it_costs_what_it_does_in_torch(records, own, shape):
    assert count_work(records) == count_work(own)
    assert records[-1].output_shapes == (shape,)


@pytest.mark.parametrize(
    ("inputs", "settings", "shape"),
    [
        pytest.param(IMAGE, {}, IMAGE, id="whole blocks"),
        pytest.param(LAST, {"channels_last": 1}, IMAGE, id="channels last"),
        pytest.param((1, 12, 9, 8), {}, (), id="a part of a block, as large as the processor says"),
    ],
)
def test_what_is_laid_out_by_blocks_is_padded(inputs, settings, shape):
    (record,) = read_node("ReorderInput", inputs, domain=BLOCKS, **settings)
    assert (record.output_shapes, count_work([record])) == ((shape,), count_work([]))


@pytest.mark.parametrize(("last", "shape"), [(0, (1, 12, 9, 8)), (1, (1, 9, 8, 12))])
def test_what_leaves_the_blocks_has_its_own_channels(last, shape):
    (record,) = read_node("ReorderOutput", IMAGE, domain=BLOCKS, channels=12, channels_last=last)
    assert record.output_shapes == (shape,)


def test_a_file_for_one_processor_says_that_its_channels_are_padded():
    made = node("Conv", ["x", "w"], ["y"], domain=BLOCKS)
    net = model([made], [tensor("x", *IMAGE)], [unknown("y")], [weight("w", *KERNEL)], domains=[BLOCKS])
    cost = resflops.count(net)
    assert cost.macs == 32 * 7 * 6 * 16 * 9
    assert cost.trace.notes == (
        "onnxruntime has padded its channels to whole blocks of one processor, and they are counted with "
        "that; save it at the level ORT_ENABLE_EXTENDED, or count the file that it was made from",
    )
