"""Copies of ONNX files that say in each node what it costs."""

import pytest
from onnx import load, save

import resflops
from resflops.errors import ModelError, UsageError
from resflops.sources.onnx_files.annotations import write_annotated
from tests.sources.onnx_files.graphs import constant, graph, model, node, tensor, unknown, weight

KERNEL, WEIGHT = weight("conv.weight", 4, 3, 3, 3), weight("fc.weight", 5, 144)

CONV = 2 * 4 * 36 * 27
GEMM = 2 * 5 * 144


def make_net():
    net = model(
        [
            node("Conv", ["x", "conv.weight"], ["image"], name="/conv/Conv"),
            node("Relu", ["image"], ["zero"], name="/Relu"),
            node("Shape", ["zero"], ["shape"], name="/Shape"),
            node("Slice", ["shape", "start", "end"], ["batch"], name="/Slice"),
            node("Concat", ["batch", "rest"], ["sizes"], axis=0, name="/Concat"),
            node("Reshape", ["zero", "sizes"], ["rows"], name="/Reshape"),
            node("Gemm", ["rows", "fc.weight"], ["y"], transB=1, name="/fc/Gemm"),
        ],
        [tensor("x", "batch", 3, 8, 8)],
        [tensor("y", "batch", 5)],
        [KERNEL, WEIGHT, constant("start", [0]), constant("end", [1]), constant("rest", [-1])],
    )
    net.graph.node[0].metadata_props.add(key="exporter", value="kept")
    net.metadata_props.add(key="author", value="someone")
    return net


def read(entries):
    return {entry.key: entry.value for entry in entries}


def strip(annotated):
    """Take out what was written."""
    for metadata in (annotated.metadata_props, *(each.metadata_props for each in annotated.graph.node)):
        kept = [entry for entry in metadata if not entry.key.startswith("resflops.")]
        del metadata[:]
        metadata.extend(kept)
    return annotated


@pytest.fixture
def write(tmp_path):
    def write_file(net, name="net.onnx"):
        path = tmp_path / name
        save(net, path)
        return path

    return write_file


FOLDED = {"resflops.macs": "0, computed before the first pass"}


def test_every_node_says_what_it_costs_and_the_model_what_was_counted(write, tmp_path):
    path = write(make_net())
    write_annotated(path, resflops.count(path, (2, 3, 8, 8)), tmp_path / "out.onnx")
    annotated = load(tmp_path / "out.onnx")
    assert [read(each.metadata_props) for each in annotated.graph.node] == [
        {
            "exporter": "kept",
            "resflops.macs": f"{CONV:,}",
            "resflops.layer": "conv",
            "resflops.parameters": "108",
        },
        {"resflops.macs": "0"},
        FOLDED,
        FOLDED,
        FOLDED,
        {"resflops.macs": "0"},
        {"resflops.macs": f"{GEMM:,}", "resflops.layer": "fc", "resflops.parameters": "720"},
    ]
    whole = read(annotated.metadata_props)
    assert whole.pop("resflops.convention").startswith("macs: multiply-accumulates of convolutions")
    assert whole == {
        "author": "someone",
        "resflops.macs": f"{CONV + GEMM:,}",
        "resflops.parameters": "828",
        "resflops.inputs": "x 2×3×8×8",
        "resflops.notes": "not counted: 3 nodes that follow from shapes and constants alone, which a runtime "
        "computes before the first pass",
        "resflops.version": resflops.__version__,
    }


def test_nothing_else_changes(write, tmp_path):
    path = write(make_net())
    write_annotated(path, resflops.count(path, (2, 3, 8, 8)), tmp_path / "out.onnx")
    assert strip(load(tmp_path / "out.onnx")).SerializeToString() == path.read_bytes()


def test_another_convention_is_named_with_what_it_counts(write):
    path = write(make_net())
    cost = resflops.count(path, (1, 3, 8, 8), convention="formula")
    write_annotated(path, cost, path)
    annotated = load(path)
    costs = [read(each.metadata_props).get("resflops.total.formula") for each in annotated.graph.node]
    folded = FOLDED["resflops.macs"]
    conv, gemm = CONV // 2 + 4 * 36, GEMM // 2 + 5
    assert costs == [f"{conv:,}", "0", folded, folded, folded, "0", f"{gemm:,}"]
    assert read(annotated.metadata_props)["resflops.total.formula"] == f"{conv + gemm:,}" == f"{cost.total:,}"


def test_a_file_may_be_written_into_itself_and_what_was_written_before_is_replaced(write):
    path = write(make_net())
    before = path.read_bytes()
    for convention, shape in (("flops", (4, 3, 8, 8)), ("macs", (2, 3, 8, 8))):
        write_annotated(path, resflops.count(path, shape, convention=convention), path)
    keys = [entry.key for each in load(path).graph.node for entry in each.metadata_props]
    assert "resflops.total.flops" not in keys
    assert read(load(path).graph.node[0].metadata_props)["resflops.macs"] == f"{CONV:,}"
    assert strip(load(path)).SerializeToString() == before


def test_weights_beside_the_file_are_found_by_a_copy_beside_it_and_by_no_other(write, tmp_path):
    path = tmp_path / "net.onnx"
    save(make_net(), path, save_as_external_data=True, location="net.data", size_threshold=0)
    cost = resflops.count(path, (2, 3, 8, 8))
    beside = (tmp_path / "net.data").read_bytes()
    write_annotated(path, cost, tmp_path / "out.onnx")
    assert (tmp_path / "net.data").read_bytes() == beside
    assert load(tmp_path / "out.onnx").graph.initializer[0].raw_data == KERNEL.raw_data
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError) as caught:
        write_annotated(path, cost, tmp_path / "other" / "out.onnx")
    assert str(caught.value) == (
        f"{path} has its weights in net.data beside it, where a copy in another folder does not find them; "
        f"write the copy beside it, too, as in {tmp_path / 'out.onnx'}"
    )
    assert list((tmp_path / "other").iterdir()) == []


def test_a_node_that_is_not_counted_says_so(write):
    net = model(
        [node("Mystery", ["x"], ["z"], domain="own"), node("Relu", ["z"], ["y"])],
        [tensor("x", 2, 3)],
        [unknown("y")],
        domains=["own"],
    )
    path = write(net)
    write_annotated(path, resflops.count(path), path)
    annotated = load(path)
    assert read(annotated.graph.node[0].metadata_props)["resflops.macs"] == (
        "not counted: own.Mystery has no rule"
    )
    assert read(annotated.metadata_props)["resflops.macs"].startswith("not counted: own.Mystery")


def test_weights_of_several_nodes_count_at_the_first_whatever_their_names(write):
    net = model(
        [
            node("Identity", ["w"], ["again"]),
            node("MatMul", ["x", "w"], ["z"]),
            node("MatMul", ["z", "again"], ["y"]),
        ],
        [tensor("x", 2, 3)],
        [tensor("y", 2, 3)],
        [weight("w", 3, 3)],
    )
    path = write(net)
    write_annotated(path, resflops.count(path), path)
    assert [read(each.metadata_props).get("resflops.parameters") for each in load(path).graph.node] == [
        None,
        "9",
        "0, and 9 of an earlier node",
    ]


def test_what_is_inside_a_node_is_part_of_it(write):
    inner = graph(
        [node("MatMul", ["x", "inner"], ["z"]), node("Relu", ["z"], ["then"])],
        [],
        [tensor("then", 2, 4)],
        [weight("inner", 3, 4)],
    )
    other = graph([node("MatMul", ["x", "outer"], ["else"])], [], [tensor("else", 2, 4)])
    net = model(
        [node("If", ["yes"], ["y"], then_branch=inner, else_branch=other)],
        [tensor("x", 2, 3)],
        [tensor("y", 2, 4)],
        [constant("yes", True, "bool"), weight("outer", 3, 4)],
    )
    path = write(net)
    write_annotated(path, resflops.count(path), path)
    assert load(path).graph.node[0].metadata_props[0].value == "24"
    assert read(load(path).graph.node[0].metadata_props)["resflops.parameters"] == "24"


def test_a_file_that_was_changed_since_it_was_counted_stays_as_it_is(write):
    path = write(make_net())
    cost = resflops.count(path, (2, 3, 8, 8))
    net = make_net()
    net.graph.node[1].op_type = "Sigmoid"
    changed = write(net).read_bytes()
    with pytest.raises(ModelError, match=r"net\.onnx was changed while it was counted; count it again"):
        write_annotated(path, cost, path)
    assert path.read_bytes() == changed
