"""Elements looked up, written, or chosen."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import resflops
from resflops.ops import OPS
from resflops.records import Work
from resflops.sources.onnx_files import Given, read_trace
from tests.sources.onnx_files.graphs import model, node, tensor, unknown, weight
from tests.sources.onnx_files.operators.nodes import (
    Of,
    count_work,
    describe,
    number,
    read_node,
    trace_function,
)

ROWS, PLACES = (4, 5), Of("int64", 2, 3)
CASES = {
    "Gather": (lambda x, at: x.index_select(1, at), [ROWS, Of("int64", 3)], {"axis": 1}),
    "Gather of one": (lambda x: x.select(1, 2), [ROWS, number(2, "int64")], {"axis": 1}),
    "GatherElements": (lambda x, at: x.gather(1, at), [ROWS, Of("int64", 4, 2)], {"axis": 1}),
    "ScatterElements": (
        lambda x, at, new: x.scatter(1, at, new), [ROWS, Of("int64", 4, 2), (4, 2)], {"axis": 1},
    ),
    "ScatterElements by addition": (
        lambda x, at, new: x.scatter_add(1, at, new), [ROWS, Of("int64", 4, 2), (4, 2)],
        {"axis": 1, "reduction": "add"},
    ),
    "ScatterElements of the largest": (
        lambda x, at, new: x.scatter_reduce(1, at, new, "amax"), [ROWS, Of("int64", 4, 2), (4, 2)],
        {"axis": 1, "reduction": "max"},
    ),
    "Where": (torch.where, [Of("bool", *ROWS), ROWS, (5,)], {}),
    "Where a number": (lambda mask, x: torch.where(mask, 0.0, x), [Of("bool", *ROWS), number(0.0), ROWS], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_function_of_torch(name):
    function, inputs, attributes = CASES[name]
    tensors = [each for each in inputs if not isinstance(each, np.ndarray)]
    made = read_node(name.partition(" ")[0], *inputs, **attributes)
    assert describe(made) == describe(trace_function(function, *tensors))


def test_rows_of_a_stored_table_are_an_embedding():
    graph = model(
        [node("Gather", ["table", "at"], ["y"])],
        [tensor("at", 2, 3, dtype=7)], [unknown("y")], [weight("table", 10, 4)],
    )  # fmt: skip
    made = read_trace(graph, "table.onnx", Given()).ops
    own = trace_function(F.embedding, Of("int64", 2, 3), (10, 4))
    assert describe(made) == describe(own)
    assert resflops.count(graph).params == 40


@pytest.mark.parametrize(
    ("reduction", "op", "work"),
    [
        pytest.param("none", "index_put", Work(), id="written"),
        pytest.param("add", "index_put_accumulate", Work(arithmetic=10), id="added"),
        pytest.param("max", "scatter_reduce", Work(arithmetic=10), id="the larger"),
    ],
)
def test_slices_are_written_or_folded_into_what_is_there(reduction, op, work):
    (made,) = read_node("ScatterND", ROWS, Of("int64", 2, 1), (2, 5), reduction=reduction)
    assert (made.op, count_work([made])) == (op, work)
    if op != "scatter_reduce":
        # None of the values is broadcast, so that no gradient adds any up.
        assert OPS[op].gradient.work(made, (0, 2)) == (Work(), Work())


@pytest.mark.parametrize(
    ("name", "inputs", "op"),
    [
        pytest.param("GatherND", [ROWS, PLACES], "index", id="slices"),
        pytest.param("Compress", [ROWS, Of("bool", 4)], "masked_select", id="by a mask"),
        pytest.param("NonZero", [ROWS], "nonzero", id="not zero"),
        pytest.param("OneHot", [PLACES, number(8, "int64"), (2,)], "one_hot", id="one-hot vectors"),
        pytest.param("TensorScatter", [(2, 8, 4), (2, 1, 4), Of("int64", 2)], "index_copy", id="a cache"),
    ],
)
def test_it_is_free_as_in_torch(name, inputs, op):
    if name == "GatherND":
        inputs = [ROWS, Of("int64", 3, 1)]
    (made,) = read_node(name, *inputs)
    assert (made.op, bool(OPS[op].free)) == (op, True)


def test_what_is_free_stays_free_where_values_decide_sizes_and_its_gradient_is_unknown():
    graph = model(
        [node("NonZero", ["x"], ["at"]), node("Transpose", ["at"], ["t"]), node("GatherND", ["x", "t"], ["y"]),
         node("Relu", ["y"], ["z"])],
        [tensor("x", 4, 5)], [unknown("z")],
    )  # fmt: skip
    cost = resflops.count(graph)
    assert [each.op for each in cost.uncounted] == ["Relu of unknown sizes"]
    ops = read_trace(graph, "nonzero.onnx", Given()).ops
    assert [each.op for each in ops[:3]] == ["nonzero", "permute", "copy of unknown size"]
    assert OPS["copy of unknown size"].gradient.work(ops[2], (0,)) is None


def test_a_sum_at_places_of_unknown_number_is_uncounted():
    graph = model(
        [node("NonZero", ["x"], ["at"]), node("Transpose", ["at"], ["t"]), node("GatherND", ["x", "t"], ["y"]),
         node("ScatterND", ["x", "t", "y"], ["z"], reduction="add")],
        [tensor("x", 4, 5)], [unknown("z")],
    )  # fmt: skip
    assert [each.op for each in resflops.count(graph).uncounted] == ["ScatterND of unknown sizes"]
