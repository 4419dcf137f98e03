"""Whatever file or id is given as a model is counted, or answered with what to give instead."""

import json

import pytest
import torch
from torch import nn

from resflops.cli import main
from resflops.sources import find, open_model

ONE = """
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, x):
        return self.layer(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block(4)

    def forward(self, x):
        return self.block(x)


def main():
    raise SystemExit("main was called")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf_home"))
    return tmp_path


def refuse(capsys, *arguments):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def count(capsys, *arguments):
    assert main([*arguments, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    return row


def make_net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2)).eval()


@pytest.mark.parametrize("name", ["program.pt2", "./program.pt2"])
def test_an_exported_program_is_counted_on_its_example_inputs(capsys, folder, name):
    torch.export.save(torch.export.export(make_net(), (torch.zeros(2, 3, 8, 8),)), folder / "program.pt2")
    row = count(capsys, "table", name)
    assert (row["model"], row["input"], row["macs"]) == (name, "2x3x8x8", 2 * (108 * 36 + 288))


def test_torchscript_is_counted_on_the_input_that_is_given(capsys, folder):
    torch.jit.trace(make_net(), torch.zeros(1, 3, 8, 8)).save(folder / "script.pt")
    row = count(capsys, "table", "script.pt", "--input", "1x3x8x8")
    assert (row["macs"], row["params"]) == (108 * 36 + 288, 112 + 290)


def test_a_file_with_one_model_is_counted(capsys, folder):
    (folder / "one.py").write_text(ONE)
    assert count(capsys, "table", "one.py", "--input", "1x4")["macs"] == 16
    assert count(capsys, "one.py", "--input", "1x4")["macs"] == 16
    assert count(capsys, "table", "one.py:", "--input", "1x4")["macs"] == 16
    assert count(capsys, "table", "one.py:Block,width=6", "--input", "1x6")["macs"] == 36


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("class Other(nn.Linear):\n    def __init__(self): super().__init__(2, 2)\n",
         "some.py has 2 models; name one of some.py:Net, some.py:Other"),
        ("", None),
        ("model = Net()\n", None),
        ("def make():\n    return Net()\n", None),
    ],
)  # fmt: skip
def test_the_candidates_of_a_file_with_several_models_are_listed(capsys, folder, more, says):
    (folder / "some.py").write_text(ONE + more)
    if says is None:
        assert count(capsys, "table", "some.py", "--input", "1x4")["macs"] == 16
    else:
        assert says in refuse(capsys, "table", "some.py", "--input", "1x4")


def test_what_needs_arguments_is_listed_with_them(capsys, folder):
    (folder / "block.py").write_text(ONE.partition("class Net")[0])
    assert "needs arguments: block.py:Block(width); give them as in block.py:Block,width=…" in refuse(
        capsys, "table", "block.py"
    )
    assert count(capsys, "table", "block.py,width=3", "--input", "1x3")["macs"] == 9


def test_a_file_without_any_model_says_so(capsys, folder):
    (folder / "empty.py").write_text("x = 1\n")
    assert "empty.py has no torch.nn.Module and no function" in refuse(capsys, "table", "empty.py")


def test_a_lone_function_is_called(capsys, folder):
    (folder / "f.py").write_text("from torch import nn\ndef net(): return nn.Linear(4, 4), (1, 4)\n")
    assert count(capsys, "f.py")["macs"] == 16


def test_an_unknown_name_in_a_file_gets_what_there_is(capsys, folder):
    (folder / "one.py").write_text(ONE)
    message = refuse(capsys, "table", "one.py:xyz")
    assert "one.py has no 'xyz'; it has one.py:Block(width), one.py:Net, one.py:main" in message


def test_a_model_of_a_module_is_counted_and_stays_as_it_is(capsys, folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    (folder / "held_by_a_test.py").write_text(
        "from torch import nn\nmodel = nn.Sequential(nn.Linear(4, 4), nn.Dropout())\nmodel.train()\n"
    )
    row = count(capsys, "table", "held_by_a_test:model", "--input", "1x4")
    assert (row["macs"], row["params"]) == (16, 20)
    import held_by_a_test

    model = held_by_a_test.model
    before = {name: id(tensor) for name, tensor in model.state_dict(keep_vars=True).items()}
    opened = open_model("held_by_a_test:model", input_shape=(1, 4))
    assert opened.module is not model
    assert all(part.training for part in model.modules())
    assert {name: id(tensor) for name, tensor in model.state_dict(keep_vars=True).items()} == before
    assert {tensor.device.type for tensor in model.parameters()} == {"cpu"}
    assert "is a model already, and has no options" in refuse(
        capsys, "table", "held_by_a_test:model,width=3", "--input", "1x4"
    )


def save_weights(folder):
    torch.save(make_net().state_dict(), folder / "weights.pt")
    torch.save({"model": make_net().state_dict(), "epoch": 3}, folder / "last.ckpt")
    torch.save(make_net(), folder / "whole.pth")
    torch.save(make_net().state_dict(), folder / "old.bin", _use_new_zipfile_serialization=False)
    for name in ("a.safetensors", "m.onnx"):
        (folder / name).write_bytes(b"")
    (folder / "notes.md").write_text("# Notes")
    (folder / "x.json").write_text("{}")
    (folder / "data").mkdir()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("weights.pt", "'weights.pt' holds weights, not the network that they belong to: 4 tensors with 402 elements, "
         "named like 2.weight; name what builds it, such as torchvision/resnet50"),
        ("last.ckpt", "holds weights, not the network that they belong to: 4 tensors with 402 elements under model, "),
        ("old.bin", "holds weights, not the network that they belong to: 4 tensors with 402 elements, named like 2"),
        ("a.safetensors", "'a.safetensors' is empty; download or save it again, or name what builds it"),
        ("whole.pth", "is a pickled model of the class Sequential, and loading it would run code from the file"),
        ("m.onnx", "'m.onnx' is empty; export the model again"),
        ("notes.md", "'notes.md' is not a file that a model can be read from; name what builds it"),
        ("qwen9/config.json", "there is no file 'qwen9/config.json'; a config of transformers is given by its path"),
        ("x.json", "is not the config of a Hugging Face model: it has no model_type"),
        ("./data", "'./data' is a folder without a config.json"),
        ("missing.pt2", "there is no file 'missing.pt2' in "),
        ("missing.py", "there is no file 'missing.py' in "),
        ("missing.py:net", "there is no file 'missing.py' in "),
        ("./nothing", "there is no file 'nothing' in "),
        ("google/vit-base-patch16-224", "looks like the id of a model on the Hugging Face Hub: nothing is "
         "downloaded; save its config.json, as with `hf download google/vit-base-patch16-224 config.json "
         "--local-dir vit-base-patch16-224`, and give hf/vit-base-patch16-224/config.json"),
        ("meta-llama/Llama-3.1-8B", "--local-dir Llama-3.1-8B`, and give hf/Llama-3.1-8B/config.json"),
        ("https://huggingface.co/google/vit", "`hf download google/vit config.json"),
        ("hf/google/vit", "there is no folder 'google/vit'; nothing is downloaded; save its config.json"),
        ("hf/bert-base-uncased", "nothing is downloaded; save its config.json, as with `hf download bert-base"),
        ("torchvison/resnet50", "there is no source 'torchvison'; closest: torchvision"),
    ],
)  # fmt: skip
def test_what_cannot_be_counted_is_answered_with_what_to_give(capsys, folder, name, says):
    save_weights(folder)
    assert says in refuse(capsys, "table", name)
    assert says in refuse(capsys, "layers", name)


QWEN3 = {
    "model_type": "qwen3", "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "vocab_size": 16,
    "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 4,
}  # fmt: skip


@pytest.mark.parametrize(
    "given", ["qwen3/config.json", "./qwen3/config.json", "qwen3", "hf/qwen3/config.json"]
)
def test_a_config_is_counted_with_and_without_hf(capsys, folder, given):
    (folder / "qwen3").mkdir()
    (folder / "qwen3/config.json").write_text(json.dumps(QWEN3))
    assert count(capsys, "table", given, "--input", "4")["params"] < 1000


def test_a_config_beside_weights_and_one_in_the_cache_are_named(capsys, folder):
    (folder / "qwen3").mkdir()
    (folder / "qwen3/config.json").write_text(json.dumps(QWEN3))
    (folder / "qwen3/model.safetensors").write_bytes(b"")
    assert "name hf/qwen3/config.json, the config beside it" in refuse(
        capsys, "table", "qwen3/model.safetensors"
    )
    cached = folder / "hf_home/hub/models--Qwen--Qwen3-0.6B/snapshots/abc"
    cached.mkdir(parents=True)
    (cached / "config.json").write_text(json.dumps(QWEN3))
    message = refuse(capsys, "table", "Qwen/Qwen3-0.6B")
    assert f"the cache of Hugging Face has its config: hf/{cached}/config.json" in message


def test_a_folder_of_a_networks_name_leaves_the_network(folder):
    (folder / "resnet34").mkdir()
    (folder / "resnet34/config.json").write_text(json.dumps(QWEN3))
    assert find("resnet34").name == "resnet34"


def test_diff_takes_files_with_models(capsys, folder):
    (folder / "a.py").write_text(ONE)
    (folder / "b.py").write_text(ONE.replace("Block(4)", "nn.Sequential(Block(4), Block(4))"))
    assert main(["diff", "a.py", "b.py", "--input", "1x4", "--format", "json"]) == 0
    assert capsys.readouterr().out.count("32") > 0
