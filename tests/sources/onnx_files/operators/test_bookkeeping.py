"""Sequences, optional values, and sizes."""

import resflops
from resflops.sources.onnx_files import Given, read_trace
from tests.sources.onnx_files.graphs import FLOAT, constant, model, node, tensor, unknown


def test_tensors_that_go_through_a_sequence_cost_nothing_and_keep_their_sizes():
    graph = model(
        [node("SequenceConstruct", ["x", "x"], ["s"]), node("SequenceAt", ["s", "first"], ["a"]),
         node("Relu", ["a"], ["y"]), node("SequenceLength", ["s"], ["n"]), node("Optional", ["y"], ["o"]),
         node("OptionalGetElement", ["o"], ["z"])],
        [tensor("x", 2, 3)], [unknown("z")], [constant("first", 0)],
    )  # fmt: skip
    assert not resflops.count(graph).uncounted
    ops = read_trace(graph, "sequence.onnx", Given()).ops
    assert [each.op for each in ops] == ["identity", "identity", "relu", "size", "identity", "identity"]
    assert ops[2].output_shapes == ((2, 3),)


def test_a_split_into_a_sequence_and_its_join_are_copies():
    graph = model(
        [node("SplitToSequence", ["x"], ["s"], axis=1), node("ConcatFromSequence", ["s"], ["y"], axis=1)],
        [tensor("x", 2, 4)], [unknown("y", FLOAT)],
    )  # fmt: skip
    assert not resflops.count(graph).uncounted
    assert [each.op for each in read_trace(graph, "split.onnx", Given()).ops] == ["split", "cat"]
