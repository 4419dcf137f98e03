"""Counters of ONNX files against the files themselves: the counter says its figure, and its convention gives it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

import resflops
from resflops.counters import PEERS
from resflops.counters.installed import find_installed_version
from resflops.crosschecking import select_peers

onnx = pytest.importorskip("onnx")
if find_installed_version(PEERS["onnx-tool"]) is None:
    pytest.skip("onnx-tool is not installed", allow_module_level=True)

NET = """
g (float[N, 3, 8, 8] x) => (float[N, 5] y)
<float[4, 3, 3, 3] kernel, float[4] shift, float[5, 144] weight, float[5] bias, int64[2] sizes = {-1, 144}>
{
    image = Conv(x, kernel, shift)
    zero = Relu(image)
    rows = Reshape(zero, sizes)
    y = Gemm<transB = 1>(rows, weight, bias)
}
"""


def parse(text, opset=17):
    """Parse a graph in ONNX's own notation, in which what is declared without a value is a weight of ones."""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {text}')
    for declared in model.graph.value_info:
        sizes = [each.dim_value for each in declared.type.tensor_type.shape.dim]
        kind = onnx.helper.tensor_dtype_to_np_dtype(declared.type.tensor_type.elem_type)
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(sizes, kind), declared.name))
    del model.graph.value_info[:]
    return model


@pytest.fixture
def write(tmp_path):
    def write_graph(text, **settings):
        path = tmp_path / "net.onnx"
        onnx.save(parse(text, **settings), path)
        return str(path)

    return write_graph


def test_a_file_is_explained_by_the_sizes_of_its_own_nodes(write):
    (row,) = resflops.crosscheck(write(NET), (2, 3, 8, 8)).rows
    products, biases, zeros = 2 * 4 * 36 * 27 + 2 * 5 * 144, 2 * 4 * 36 + 2 * 5, 2 * 4 * 36
    assert (row.peer, row.macs, row.figure) == ("onnx-tool", products, products + biases + zeros)
    assert {cause.name: cause.amount for cause in row.causes} == {"bias": biases, "activation": zeros}
    assert (row.unexplained, row.inputs) == (0, ((2, 3, 8, 8),))


def test_a_peer_of_modules_is_run_only_if_it_is_named_and_then_says_what_it_takes(write):
    path = write(NET)
    (row,) = resflops.crosscheck(path, peers="fvcore").rows
    assert row.failure == (
        f"fvcore takes a PyTorch module, and {path} is an ONNX graph; give the model that it was exported from"
    )


def test_a_peer_of_files_is_run_on_a_module_only_if_it_is_named_and_then_says_what_it_takes():
    assert {peer.takes for peer in select_peers(None)} == {"modules"}
    assert {peer.takes for peer in select_peers(None, takes="onnx")} == {"onnx"}
    (row,) = resflops.crosscheck("resnet20", peers=["onnx-tool"]).rows
    assert row.failure == (
        "onnx-tool takes ONNX files, not PyTorch modules; export the model, as in "
        "torch.onnx.export(model, args, 'model.onnx'), and give the file: resflops crosscheck model.onnx"
    )


def test_nodes_of_one_name_are_missed_but_for_the_last_and_the_row_says_so(write):
    path = write("g (float[2, 6] x) => (float[2, 6] y) { a = Relu(x)  y = Add(a, x) }")
    model = onnx.load(path)
    for node in model.graph.node:
        node.name = "same"
    onnx.save(model, path)
    (row,) = resflops.crosscheck(path).rows
    assert (row.figure, row.unexplained) == (12, 0)
    assert {cause.name: cause.amount for cause in row.causes} == {
        "activation": 12,
        "arithmetic on single elements": 12,
        "nodes missed because others have their names": -12,
    }


def test_what_follows_from_shapes_alone_is_a_cause(write):
    path = write("""
        g (float[2, 6] x) => (float[2, 6] y)
        { size = Shape(x)  twice = Add(size, size)  half = Sub(twice, size)  same = Reshape(x, half)  y = Relu(same) }
    """)
    (row,) = resflops.crosscheck(path).rows
    assert (row.macs, row.figure, row.unexplained) == (0, 16, 0)
    assert {cause.name: cause.amount for cause in row.causes} == {
        "activation": 12,
        "what follows from shapes and constants alone, computed before the first pass": 4,
    }


def test_parameters_differ_by_constants_and_by_what_is_passed_over(write):
    path = write("""
        g (int64[2, 3] x) => (float[2, 3, 5] y)
        <float[7, 4] table, float[4, 5] weight, float[1] one = {1.0}>
        { rows = Gather(table, x)  z = MatMul(rows, weight)  y = Clip(z, one) }
    """)
    (row,) = resflops.crosscheck(path).rows
    assert (row.params, row.peer_params, row.unexplained_params) == (28 + 20, 20 + 1, 0)
    assert {cause.name: (cause.amount, cause.modules) for cause in row.parameter_causes} == {
        "constants and statistics among the initialisers": (1, ("one",)),
        "initialisers of operators that it passes over": (-28, ("table",)),
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            "g (float[2, 6] x) => (float[2, 6] y) { y = Mish(x) }",
            "NotImplementedError: this Node Mish-Mish_0 has no value_infer",
            id="operator",
        ),
    ],
)
def test_what_it_refuses_is_a_row_that_says_so(write, text, says):
    (row,) = resflops.crosscheck(write(text)).rows
    assert (row.figure, row.failure) == (None, says)


def test_a_graph_that_onnx_has_loaded_is_cross_checked_as_its_file_is(write):
    path = write(NET)
    (of_file,), (of_graph,) = (
        resflops.crosscheck(given, (1, 3, 8, 8)).rows for given in (Path(path), onnx.load(path))
    )
    assert replace(of_graph, model=of_file.model) == of_file


def test_a_file_is_cross_checked_without_torch_and_without_a_word_of_the_peer(write, tmp_path):
    path = write(NET)
    before = sorted(tmp_path.iterdir())
    script = (
        "import sys\n"
        "from resflops.cli import main\n"
        f"status = main(['crosscheck', {path!r}, '--format', 'json', '--strict'])\n"
        "print(status, 'torch' in sys.modules, 'onnx_tool' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stderr.split("\n")[-2] == "0 False False"
    assert done.stdout.startswith("{")
    assert sorted(tmp_path.iterdir()) == before
