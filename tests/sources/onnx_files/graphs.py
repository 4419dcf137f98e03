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


def one_node(operator, inputs, outputs=1, *, version=20, **attributes):
    """Make a graph of one node, and arrays of ones that it takes.

    Args:
        operator: its name, with the domain in front if that is not ONNX's own.
        inputs: for each input its type and its shape; for a constant its type and its one element; for one
            that is left out None.
        outputs: how many it gives.
        version: the opset of ONNX's own domain.
        attributes: its attributes.
    """
    domain, _, name = operator.rpartition(".")
    names = ["" if each is None else f"x{place}" for place, each in enumerate(inputs)]
    given, constants = {}, []
    for each, found in zip(names, inputs, strict=True):
        if found is None:
            continue
        dtype, shape = found
        if isinstance(shape, int):
            constants.append(constant(each, [shape], dtype))
        else:
            given[each] = np.ones(shape, dtype)
    made = node(name, names, [f"y{place}" for place in range(outputs)], domain=domain, **attributes)
    infos = [
        tensor(each, *array.shape, dtype=helper.np_dtype_to_tensor_dtype(array.dtype))
        for each, array in given.items()
    ]
    untold = [helper.make_empty_tensor_value_info(each) for each in made.output]
    return model([made], infos, untold, constants, opset=version, domains=[domain] if domain else ()), given


node = helper.make_node
