"""Columns folded back into an image."""

import numpy as np
import torch.nn.functional as F

from tests.sources.onnx_files.operators.nodes import describe, read_node, trace_function


def test_columns_are_folded_as_in_torch():
    node = read_node("Col2Im", (1, 8, 9), np.array((4, 4)), np.array((2, 2)))
    assert describe(node) == describe(trace_function(lambda x: F.fold(x, (4, 4), 2), (1, 8, 9)))
