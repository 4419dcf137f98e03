"""Nodes that hold graphs."""

import pytest

import resflops
from resflops.sources.onnx_files import Given, read_trace
from tests.sources.onnx_files.graphs import BOOL, INT64, constant, graph, model, node, tensor, unknown, weight

WIDE, NARROW = 2 * 8 * 16 + 2 * 16 * 8, 2 * 8 * 8


def read(model, **given):
    return read_trace(model, "m.onnx", Given(**given))


def branches(condition):
    """An If whose then-branch has two products, and whose else-branch has one."""
    then = graph(
        [node("MatMul", ["x", "wide"], ["h"]), node("MatMul", ["h", "back"], ["t"], name="second")],
        [], [unknown("t")], [weight("wide", 8, 16), weight("back", 16, 8)],
    )  # fmt: skip
    other = graph([node("MatMul", ["x", "square"], ["e"])], [], [unknown("e")])
    return node("If", [condition], ["y"], name="choose", then_branch=then, else_branch=other)


def make_if(*, flag=None):
    given = [] if flag is not None else [tensor("flag", dtype=BOOL)]
    known = [constant("flag", flag, "bool")] if flag is not None else []
    return model(
        [branches("flag"), node("Relu", ["y"], ["out"])],
        [tensor("x", 2, 8), *given], [tensor("out", 2, 8)], [weight("square", 8, 8), *known],
    )  # fmt: skip


@pytest.mark.parametrize(("flag", "macs"), [(True, WIDE), (False, NARROW)])
def test_the_branch_that_a_constant_takes_is_counted_alone(flag, macs):
    trace = read(make_if(flag=flag))
    assert (resflops.count(trace).macs, trace.upper_bound, trace.notes) == (macs, False, ())
    assert trace.ops[-1].op == "relu"
    assert trace.ops[-1].producers == (len(trace.ops) - 2,)


def test_where_values_decide_the_dearer_branch_stands_for_both():
    trace = read(make_if())
    cost = resflops.count(trace)
    assert (cost.macs, trace.upper_bound, cost.uncounted) == (WIDE, True, ())
    assert trace.notes == (
        f"If 'choose' takes one of two branches by values: counted is its then branch, with {WIDE} "
        f"multiply-accumulates where the other has {NARROW}",
    )
    assert [op.output_shape for op in trace.ops] == [(2, 16), (2, 8), (2, 8)]


def test_initialisers_of_a_branch_are_parameters():
    assert read(make_if(flag=True)).params == 8 * 16 + 16 * 8 + 8 * 8


def test_a_shape_decides_a_branch_as_a_constant_does():
    asks = [
        node("Shape", ["x"], ["sizes"]), node("Gather", ["sizes", "first"], ["rows"]),
        node("Equal", ["rows", "two"], ["flag"]), branches("flag"),
    ]  # fmt: skip
    asked = model(
        asks, [tensor("x", "batch", 8)], [unknown("y")],
        [weight("square", 8, 8), constant("first", 0), constant("two", 2)],
    )  # fmt: skip
    assert resflops.count(read(asked, inputs=[(2, 8)])).macs == WIDE
    assert resflops.count(read(asked, inputs=[(3, 8)])).macs == 3 * 8 * 8


def make_loop(trips, *, stop=None, given=()):
    """A loop that multiplies its state by a square matrix, and gives the state of each trip."""
    ends = [node("Identity", ["go"], ["goes"])] if stop is None else [node("Less", ["i", "stop"], ["goes"])]
    body = graph(
        [*ends, node("MatMul", ["state", "square"], ["next"], name="product"),
         node("Identity", ["next"], ["seen"])],
        [tensor("i", dtype=INT64), tensor("go", dtype=BOOL), unknown("state")],
        [tensor("goes", dtype=BOOL), unknown("next"), tensor("seen", 2, 8)],
    )  # fmt: skip
    known = [] if stop is None else [constant("stop", stop)]
    return model(
        [node("Loop", [trips, "", "x"], ["y", "all"], name="repeat", body=body),
         node("Relu", ["all"], ["out"])],
        [tensor("x", 2, 8), *given], [unknown("y"), unknown("out")],
        [weight("square", 8, 8), constant("five", 5), constant("zero", 0), *known],
    )  # fmt: skip


def test_each_trip_of_a_loop_is_counted():
    trace = read(make_loop("five"))
    assert resflops.count(trace).macs == 5 * 2 * 8 * 8
    assert [op.op for op in trace.ops] == [*["matmul"] * 5, "stack", "relu"]
    assert [op.producers[0] for op in trace.ops] == [-1, 0, 1, 2, 3, 0, 5]
    assert trace.ops[-1].output_shape == (5, 2, 8)
    assert trace.params == 64


def test_a_condition_that_follows_from_the_number_of_the_trip_ends_a_loop():
    assert resflops.count(read(make_loop("five", stop=2))).macs == 3 * 2 * 8 * 8
    assert resflops.count(read(make_loop("", stop=3))).macs == 4 * 2 * 8 * 8


def test_a_loop_that_values_end_is_told_and_makes_the_count_incomplete():
    trace = read(make_loop("n", given=[tensor("n", dtype=INT64)]))
    cost = resflops.count(trace)
    assert {each.op for each in cost.uncounted} == {"Loop", "Relu of unknown sizes"}
    assert cost.macs == 0
    assert trace.notes == (
        "Loop 'repeat' runs as often as values decide, or above 10,000 times, and is not counted; one trip has "
        "128 multiply-accumulates",
    )


def test_a_loop_of_no_trip_gives_its_state_as_it_came():
    trace = read(make_loop("zero"))
    assert [(op.op, op.input_shapes) for op in trace.ops] == [("relu", ((0, 2, 8),))]
    # A condition that the body gives is looked at after a trip: the first is made whatever it is.
    assert resflops.count(read(make_loop("five", stop=-1))).macs == 2 * 8 * 8


def test_each_trip_of_a_scan_is_counted():
    body = graph(
        [node("Add", ["state", "row"], ["next"]), node("MatMul", ["next", "square"], ["seen"])],
        [unknown("state"), unknown("row")], [unknown("next"), unknown("seen")],
    )  # fmt: skip
    scan = model(
        [node("Scan", ["start", "x"], ["end", "all"], body=body, num_scan_inputs=1, scan_input_axes=[1])],
        [tensor("start", 2, 8), tensor("x", 2, 7, 8)], [unknown("end"), unknown("all")], [weight("square", 8, 8)],
    )  # fmt: skip
    trace = read(scan)
    assert resflops.count(trace).macs == 7 * 2 * 8 * 8
    assert [op.op for op in trace.ops] == [*["select", "add", "matmul"] * 7, "stack"]
    assert trace.ops[-1].output_shape == (7, 2, 8)


def test_sizes_that_the_branches_do_not_share_are_unknown():
    other = graph([node("Concat", ["x", "x"], ["e"], axis=0)], [], [unknown("e")])
    then = graph([node("Relu", ["x"], ["t"])], [], [unknown("t")])
    chosen = model(
        [node("If", ["flag"], ["y"], then_branch=then, else_branch=other),
         node("MatMul", ["y", "square"], ["z"]), node("MatMul", ["square", "square"], ["known"])],
        [tensor("x", 2, 8), tensor("flag", dtype=BOOL)], [unknown("z"), unknown("known")], [weight("square", 8, 8)],
    )  # fmt: skip
    cost = resflops.count(read(chosen))
    assert (cost.macs, [each.op for each in cost.uncounted]) == (8 * 8 * 8, ["MatMul of unknown sizes"])
    assert not cost.trace.upper_bound
