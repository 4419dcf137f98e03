"""Files of exported programs: what is loaded, and what is refused because it would run as it is loaded."""

import io
import os
import subprocess
import sys
import zipfile

import pytest
import torch
from torch import nn

import resflops
from resflops.errors import ModelError
from resflops.sources.programs import load_program
from tests.sources.programs.exporting import OF_2_6, export

GRAPH = "serialized_exported_program.json" if OF_2_6 else "models/model.json"
VERSION = "version" if OF_2_6 else "archive_version"
EXAMPLE = "example_inputs" if OF_2_6 else "sample_inputs"
DYNAMIC = ({0: torch.export.Dim("batch", max=9)},)


class Touching:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A file with a program whose batch is a symbol."""
    path = tmp_path_factory.mktemp("saved") / "linear.pt2"
    program = export(nn.Linear(4, 5), (torch.zeros(2, 4),), dynamic_shapes=DYNAMIC)
    torch.export.save(program, path)
    return path


@pytest.fixture
def rewrite(saved, tmp_path):
    """Write the file again with one of its parts changed."""

    def write(part, change):
        path = tmp_path / "linear.pt2"
        with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                new.writestr(name, change(content) if part in name else content)
        return path

    return write


def test_a_file_is_a_spec_like_any_other(saved):
    cost = resflops.count(str(saved))
    assert (cost.macs, cost.params) == (2 * 4 * 5, 25)
    assert [row.name for row in cost.layers] == [""]
    assert resflops.count(str(saved), (7, 4)).macs == 7 * 4 * 5


def test_loading_says_nothing(saved, capfd):
    load_program(saved)
    assert capfd.readouterr() == ("", "")


def test_pickled_objects_are_not_loaded(rewrite, tmp_path):
    pickled, made = io.BytesIO(), tmp_path / "made"
    torch.save(((torch.zeros(2, 4), Touching(made)), {}), pickled)
    path = rewrite(EXAMPLE, lambda _: pickled.getvalue())
    with pytest.raises(ModelError, match=r"holds pickled objects in .*\.pt, which run code"):
        load_program(path)
    assert not made.exists()


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("__import__('os').mkdir('{made}') + ", id="a call of os"),
        pytest.param("exec(chr(49)) + ", id="a built-in function"),
        pytest.param("[1 for _ in (1,)][0] + ", id="a loop"),
        pytest.param("sympify('1') + ", id="a function of sympy's that evaluates text"),
        pytest.param("Symbol('{made} is a path') + ", id="a text"),
    ],
)
def test_sizes_that_are_more_than_sizes_are_not_evaluated(rewrite, tmp_path, expression):
    made = tmp_path / "made"
    code = expression.format(made=made).encode()
    path = rewrite(GRAPH, lambda graph: graph.replace(b'"expr_str": "', b'"expr_str": "' + code))
    with pytest.raises(ModelError, match=r"writes a size as .*, which would run as code; if you trust it"):
        load_program(path)
    assert not made.exists()


def test_what_is_no_op_is_not_called(rewrite):
    path = rewrite(GRAPH, lambda graph: graph.replace(b"torch.ops.aten.linear.default", b"torch.os.system"))
    with pytest.raises(ModelError, match=r"calls 'torch\.os\.system', and torch\.export writes"):
        load_program(path)


def test_ops_that_nobody_has_registered_are_named(rewrite):
    path = rewrite(GRAPH, lambda graph: graph.replace(b"ops.aten.linear", b"ops.mylib.linear"))
    with pytest.raises(
        ModelError, match=r"uses mylib::linear, which nothing has registered here; in Python, import"
    ):
        load_program(path)


class Suppressing(nn.Module):
    def forward(self, boxes, scores):
        return torch.ops.torchvision.nms(boxes, scores, 0.5)


def test_ops_of_torchvision_are_registered_where_they_are_needed(tmp_path):
    pytest.importorskip("torchvision")
    path = str(tmp_path / "nms.pt2")
    torch.export.save(export(Suppressing(), (torch.rand(4, 4), torch.rand(4))), path)
    # In a process that has not imported it.
    command = [sys.executable, "-c", "import resflops, sys; print(resflops.count(sys.argv[1]).macs)", path]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "0\n"


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        pytest.param(GRAPH, lambda content: content[:-50], "is damaged: JSONDecodeError", id="cut graph"),
        pytest.param(
            GRAPH,
            lambda content: content.replace(b'"major": ', b'"major": 9'),
            "could not be loaded: .*version",
            id="another version",
        ),
        pytest.param(VERSION, lambda _: b"99", "could not be loaded: ", id="another archive"),
    ],
)
def test_a_file_that_torch_cannot_read_gets_one_message(rewrite, part, change, message):
    with pytest.raises(ModelError, match=message):
        load_program(rewrite(part, change))


def test_damaged_bytes_are_noticed(saved, tmp_path):
    content = bytearray(saved.read_bytes())
    place = content.find(b'"graph_module"')
    content[place : place + 8] = bytes(8)
    (tmp_path / "damaged.pt2").write_bytes(content)
    with pytest.raises(ModelError, match="is damaged: BadZipFile: Bad CRC-32"):
        load_program(tmp_path / "damaged.pt2")


def test_compiled_code_is_no_program(tmp_path):
    path = tmp_path / "compiled.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("compiled/data/aotinductor/model/code.wrapper.so", b"\x7fELF")
    with pytest.raises(
        ModelError, match=r"holds compiled code \(compiled/data/.*so\), which has no graph to count"
    ):
        resflops.count(str(path))


def test_a_file_of_several_programs_is_not_chosen_from(tmp_path):
    packaging = pytest.importorskip("torch.export.pt2_archive._package")
    program = export(nn.Linear(4, 5), (torch.zeros(2, 4),))
    packaging.package_pt2(str(tmp_path / "two.pt2"), exported_programs={"one": program, "other": program})
    with pytest.raises(ModelError, match=r"holds 2 programs \(one, other\); save each in a file of its own"):
        resflops.count(str(tmp_path / "two.pt2"))
