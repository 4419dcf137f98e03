"""What a file states of its tensors, where nothing else tells of them."""

import resflops
from resflops.sources.onnx_files import Given, read_trace
from tests.sources.onnx_files.graphs import model, node, tensor, unknown


def make_net(*stated, inputs=(4, 6)):
    net = model(
        [
            node("Mystery", ["x"], ["z"], domain="own"),
            node("MatMul", ["z", "z"], ["square"]),
            node("Relu", ["square"], ["y"]),
        ],
        [tensor("x", *inputs)],
        [unknown("y")],
        domains=["own"],
    )
    net.graph.value_info.extend(stated)
    return net


def list_ops(net, **sizes):
    cost = resflops.count(read_trace(net, "net.onnx", Given(sizes=sizes)))
    return cost.macs, [each.op for each in cost.uncounted]


def test_an_unknown_operator_leaves_what_follows_unknown():
    macs, uncounted = list_ops(make_net())
    assert (macs, sorted(uncounted)) == (
        0, ["MatMul of unknown sizes", "Relu of unknown sizes", "own.Mystery"],
    )  # fmt: skip


def test_what_the_file_states_of_its_result_prices_what_follows():
    assert list_ops(make_net(tensor("z", 5, 5))) == (5 * 5 * 5, ["own.Mystery"])


def test_a_stated_size_may_be_one_of_the_open_ones():
    net = make_net(tensor("z", "n", "n"), inputs=("n", 6))
    assert list_ops(net, n=7) == (7 * 7 * 7, ["own.Mystery"])


def test_a_size_that_the_file_leaves_open_stays_unknown():
    macs, uncounted = list_ops(make_net(tensor("z", "other", "other")))
    assert (macs, "MatMul of unknown sizes" in uncounted) == (0, True)


def test_what_follows_from_the_graph_is_believed_before_what_the_file_states():
    net = model(
        [node("Relu", ["x"], ["z"]), node("MatMul", ["z", "z"], ["y"])], [tensor("x", 4, 4)], [unknown("y")]
    )
    net.graph.value_info.append(tensor("z", 9, 9))
    assert list_ops(net) == (4 * 4 * 4, [])
