"""Small graphs for the tests of ONNX files, made by hand."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def weight(name, *shape, dtype="float32"):
    return numpy_helper.from_array(np.ones(shape, dtype), name)


def constant(name, value, dtype="int64"):
    return numpy_helper.from_array(np.array(value, dtype), name)


def tensor(name, *shape, dtype=FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def unknown(name, dtype=FLOAT):
    return helper.make_tensor_value_info(name, dtype, None)


def graph(nodes, inputs, outputs, initialisers=(), name="graph"):
    return helper.make_graph(list(nodes), name, list(inputs), list(outputs), list(initialisers))


def model(nodes, inputs, outputs, initialisers=(), *, functions=(), opset=20, domains=()):
    return helper.make_model(
        graph(nodes, inputs, outputs, initialisers),
        opset_imports=[helper.make_opsetid("", opset), *(helper.make_opsetid(each, 1) for each in domains)],
        functions=list(functions),
        ir_version=10,
    )


node = helper.make_node
