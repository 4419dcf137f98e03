"""Operators of onnxruntime's own from before they were ONNX's, against torch's ops."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.sources.onnx_files.operators.nodes import Of, count_work, read_node, trace_function

ROWS = (2, 3, 8)


def read(name, *inputs, **settings):
    return read_node(name, *inputs, domain="com.microsoft", **settings)


@pytest.mark.parametrize(
    ("records", "own", "shape"),
    [
        pytest.param(read("Trilu", (2, 4, 4)), trace_function(torch.triu, (2, 4, 4)), (2, 4, 4), id="triangle"),
        pytest.param(
            read("Pad", ROWS, np.array([0, 0, 1, 0, 0, 2])), trace_function(lambda x: F.pad(x, (1, 2)), ROWS),
            (2, 3, 11), id="padding",
        ),
        pytest.param(
            read("GridSample", (1, 3, 5, 5), (1, 4, 6, 2), mode="bilinear"),
            trace_function(lambda x, grid: F.grid_sample(x, grid, align_corners=False), (1, 3, 5, 5), (1, 4, 6, 2)),
            (1, 3, 4, 6), id="samples",
        ),
        pytest.param(
            read("TorchEmbedding", (9, 8), Of("int64", 2, 3)),
            trace_function(lambda table, ids: F.embedding(ids, table), (9, 8), Of("int64", 2, 3)), ROWS,
            id="rows of a table",
        ),
        pytest.param(
            read("Rfft", ROWS, signal_ndim=1, onesided=1), trace_function(torch.fft.rfft, ROWS), (2, 3, 5, 2),
            id="transform",
        ),
        pytest.param(
            read("Irfft", (2, 3, 5, 2), signal_ndim=1, onesided=1),
            [each for each in trace_function(lambda x: torch.fft.irfft(torch.complex(x, x)), (2, 3, 5))
             if each.op == "irfft"],
            ROWS, id="transform back",
        ),
    ],
)  # fmt: skip
def test_it_costs_what_it_does_in_torch(records, own, shape):
    assert count_work(records) == count_work(own)
    assert records[-1].output_shapes == (shape,)


def test_a_transform_along_several_dimensions_is_uncounted():
    (record,) = read("Rfft", ROWS, signal_ndim=2, onesided=1)
    assert record.op.startswith("com.microsoft.Rfft")
