"""Which layers the nodes are of that a runtime executes."""

import pytest

from resflops.latency.backends.scopes import Node, collect_layers, join_layers, list_computing, name_layers


def node(name, op, inputs, outputs, *layers):
    return Node(name=name, op=op, inputs=tuple(inputs), outputs=tuple(outputs), layers=layers)


EXPORTED = [
    node("n1", "Conv", ["x", "w1"], ["c1"], "conv1", "bn1"),
    node("n2", "Relu", ["c1"], ["r1"], "relu"),
    node("n3", "Conv", ["r1", "w2"], ["c2"], "conv2", "bn2"),
    node("n4", "Add", ["c2", "x"], ["a"], ""),
    node("n5", "Relu", ["a"], ["r2"], "relu"),
    node("n6", "MatMul", ["r2", "w3"], ["m"], "fc"),
    node("n7", "Add", ["m", "b"], ["y"], "fc"),
]

EXECUTED = {
    "as they were exported": (EXPORTED, {each.name: each.layers for each in EXPORTED}),
    "in another layout, with the ReLU and the addition fused in": (
        [
            node("reorder", "ReorderInput", ["x"], ["t0"]),
            node("r1_nchwc", "Conv", ["t0", "w"], ["t1"]),
            node("c2_nchwc", "Conv", ["t1", "v", "", "t0"], ["t2"]),
            node("ReorderOutput", "ReorderOutput", ["t2"], ["t3"]),
            node("n6/MatMulAddFusion", "Gemm", ["t3", "w3", "b"], ["y"]),
        ],
        {
            "reorder": (),
            "r1_nchwc": ("conv1", "bn1", "relu"),
            "c2_nchwc": ("conv2", "bn2", "", "relu"),
            "ReorderOutput": (),
            "n6/MatMulAddFusion": ("fc",),
        },
    ),
    "with a name of its own for what it fuses": (
        [
            node("fused", "FusedConv", ["x", "w1"], ["r1"]),
            node("other", "FusedConv", ["r1", "w2", "x"], ["r2"]),
            node("gemm", "Gemm", ["r2", "w3", "b"], ["y"]),
        ],
        {"fused": ("conv1", "bn1", "relu"), "other": ("conv2", "bn2", "", "relu"), "gemm": ("fc",)},
    ),
}


@pytest.mark.parametrize("case", EXECUTED)
def test_executed_nodes_are_joined_to_the_layers_they_were_exported_from(case):
    executed, expected = EXECUTED[case]
    assert join_layers(executed, EXPORTED) == expected


def test_names_may_have_slashes_and_numbers_behind():
    exported = [
        node("/body/conv/Conv", "Conv", ["x", "w1"], ["c"], "body.conv"),
        node("/body/head/MatMul", "MatMul", ["c", "w2"], ["m"], "body.head"),
        node("/body/head/Add", "Add", ["m", "b"], ["y"], "body.head"),
    ]
    executed = [
        node("/body/conv/Conv_token_12", "QLinearConv", ["q", "w1_quantized"], ["q2"]),
        node("/body/head/MatMul/MatMulAddFusion", "Gemm", ["d", "w2", "b"], ["y"]),
    ]
    assert join_layers(executed, exported) == {
        "/body/conv/Conv_token_12": ("body.conv",),
        "/body/head/MatMul/MatMulAddFusion": ("body.head",),
    }


def test_a_node_of_an_optimized_graph_has_the_layers_of_all_that_it_replaced():
    before = [
        node("a", "Conv", ["x", "w"], ["c"], "conv"),
        node("b", "BatchNormalization", ["c", "g"], ["n"], "bn"),
        node("d", "Relu", ["n"], ["r"], "relu"),
    ]
    producers = {value: each for each in before for value in each.outputs}
    folded = node("e", "Conv", ["x", "w"], ["n"])
    assert collect_layers(folded, producers, {"x", "w", "n", "r"}) == ("conv", "bn")
    assert collect_layers(before[2], producers, {"x", "w", "n", "r"}) == ("relu",)


def test_what_depends_on_shapes_and_types_alone_is_constant():
    nodes = [
        node("s", "Shape", ["x"], ["v0"], "conv"),
        node("e", "Expand", ["zero", "v0"], ["v1"], "conv"),
        node("l", "CastLike", ["v1", "x"], ["v2"], "conv"),
        node("c", "Conv", ["x", "w", "v2"], ["y"], "conv"),
    ]
    assert [each.name for each in list_computing(nodes, ["x"])] == ["c"]


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        (["conv"], "conv"),
        (["layer1.0.conv1", "layer1.0.bn1"], "layer1.0.conv1 + bn1"),
        (["layer1.0.conv2", "layer1.0", "head"], "layer1.0.conv2 + layer1.0 + head"),
        (["conv", ""], "conv + (model)"),
        ([""], ""),
    ],
)
def test_fused_layers_are_named_together(layers, name):
    assert name_layers(layers) == name
