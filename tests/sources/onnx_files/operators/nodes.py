"""Nodes of one operator, read by themselves and held against torch's own function."""

import numpy as np
import torch
from onnx import helper, numpy_helper
from torch import nn

import resflops
from resflops.ops import OPS, read_attributes
from resflops.records import Work, add_works
from resflops.sources.onnx_files import Given, read_trace
from tests.sources.onnx_files.graphs import model, node, tensor, unknown

NEWEST = 24
"""The opset that nodes are of if a test does not say another."""


class Of:
    """A tensor of a type that is not float32."""

    def __init__(self, dtype, *shape):
        self.dtype, self.shape = dtype, shape


def number(value, dtype="float32"):
    """A number, which ONNX has as a constant of no dimensions."""
    return np.array(value, dtype)


def read_node(op_type, *inputs, opset=NEWEST, outputs=1, **attributes):
    """Read a graph of one node, and return its records.

    An input is the shape of one that is computed, or the value of one that the file has; None is left out.
    """
    names, given, stored = [], [], []
    for place, each in enumerate(inputs):
        names.append("" if each is None else f"x{place}")
        if isinstance(each, np.ndarray):
            stored.append(numpy_helper.from_array(each, names[-1]))
        elif each is not None:
            shape, dtype = (each.shape, each.dtype) if isinstance(each, Of) else (each, "float32")
            element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            given.append(tensor(names[-1], *shape, dtype=element))
    made = [f"y{place}" for place in range(outputs)]
    file = model([node(op_type, names, made, **attributes)], given, map(unknown, made), stored, opset=opset)
    return read_trace(file, "node.onnx", Given()).ops


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def trace_function(function, *inputs):
    """Trace a function of torch, or a module, of tensors that are given by their shapes."""
    made = [
        torch.ones(each.shape, dtype=getattr(torch, each.dtype)) if isinstance(each, Of)
        else torch.ones(each) if isinstance(each, tuple) else each
        for each in inputs
    ]  # fmt: skip
    return resflops.trace(Call(function).eval(), *made).ops


def describe(records):
    """Everything that a record's cost depends on, forwards and backwards."""
    return [
        (record.op, record.input_shapes, record.output_shapes, _read(record), record.dtype)
        for record in records
    ]


def _read(record):
    kind = OPS[record.op].attributes
    return kind and read_attributes(record, kind)


def count_work(records):
    """Count the work of all records together."""
    assert all(OPS[record.op].counted for record in records)
    return add_works([OPS[record.op].work(record) if OPS[record.op].work else Work() for record in records])
