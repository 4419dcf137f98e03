"""Of every file that no model can be read from it is said what it is, why it is not opened, what to give."""

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile

import pytest
import torch
from torch import nn

from resflops.cli import main
from resflops.sources.checkpoints.refusals import make_refusal


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.register_buffer("scale", torch.ones(5))
        self.register_buffer("passing", torch.ones(7), persistent=False)


class Executes:
    """Raises whatever loads it."""

    def __reduce__(self):
        return os._exit, (3,)


def save(value, **how):
    buffer = io.BytesIO()
    torch.save(value, buffer, **how)
    return buffer.getvalue()


def archive(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


def tar(**members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def make_safetensors(**shapes):
    header = json.dumps(
        {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
    )
    return struct.pack("<Q", len(header)) + header.encode()


def make_gguf(architecture):
    key = b"general.architecture"
    return (
        b"GGUF"
        + struct.pack("<IQQQ", 3, 291, 1, len(key))
        + key
        + struct.pack("<IQ", 8, len(architecture))
        + architecture
    )


STATE = {"layer.weight": torch.zeros(2, 3), "layer.bias": torch.zeros(2)}
LIGHTNING = {
    "state_dict": STATE,
    "pytorch-lightning_version": "2.4",
    "hyper_parameters": {"_class_path": "nets.Classifier", "lr": 1},
}
HOLDS = "holds weights, not the network that they belong to"
TWO = "2 tensors with 8 elements"
NAMED = "named like layer.weight; name what builds it, such as torchvision/resnet50 or a class of yours"
RUNS = "and loading it would run code from the file; name what builds it"
MODEL = f"is a pickled model of the class Net, {RUNS} instead, as in "

FILES = {
    "state.pt": (save(STATE), f"{HOLDS}: {TWO}, {NAMED}"),
    "old.pth": (save(STATE, _use_new_zipfile_serialization=False), f"{HOLDS}: {TWO}, {NAMED}"),
    "nested.ckpt": (save({"model": {"ema": STATE}, "epoch": 1}), f"{HOLDS}: {TWO} under model.ema, {NAMED}"),
    "parameters.pt": (save(dict(Net().named_parameters())), f"{HOLDS}: {TWO}, {NAMED}"),
    "numpy.pkl": (pickle.dumps({k: v.numpy() for k, v in STATE.items()}), f"{HOLDS}: {TWO}, {NAMED}"),
    "tar.pth": (tar(pickle=pickle.dumps({"a": 1}), tensors=b""), "was saved by torch without a model or a state dict"),
    "light.ckpt": (save(LIGHTNING), f"{HOLDS} (a checkpoint of Lightning): {TWO} under state_dict, named like "
                   "layer.weight; name what builds it, which the file says is nets.Classifier"),
    "whole.pt": (save(Net()), MODEL),
    "whole_old.pt": (save(Net(), _use_new_zipfile_serialization=False), MODEL),
    "within.pt": (save({"epoch": 3, "model": Net()}), MODEL),
    "whole.pkl": (pickle.dumps(Net()), MODEL),
    "whole0.pkl": (b"\x80" + pickle.dumps(Net(), 2)[1:], MODEL),
    "tensor.pt": (save(torch.zeros(3)), f"was saved by torch without a model or a state dict in it, {RUNS}"),
    "hostile.pt": (save(Executes()), f"was saved by torch without a model or a state dict in it, {RUNS}"),
    "hostile.pkl": (pickle.dumps(Executes()), f"is a pickle without a model in it, {RUNS}"),
    "sk.joblib": (b"\x80\x04\x95joblib.numpy_pickle", f"is a pickle of joblib's, {RUNS}"),
    "a.safetensors": (make_safetensors(**{"layer.weight": [2, 3], "layer.bias": [2]}), f"{HOLDS}: {TWO}, {NAMED}"),
    "b.safetensors": (b"\xff" * 40, "is cut off or damaged: its header has no sensible length; download or save it again"),
    "c.safetensors": (struct.pack("<Q", 8) + b"[1,2,3] ", "is cut off or damaged: its header is not what such a file has"),
    "m.gguf": (make_gguf(b"llama"), "holds weights for llama.cpp, not the network that they belong to: 291 tensors of "
               "the architecture llama; name the config that it was made from, as in hf/path/to/config.json"),
    "cut.gguf": (make_gguf(b"llama")[:20], "is cut off or damaged: its head is not complete"),
    "cut.pt": (save(STATE)[:900], "is cut off or damaged: it begins as an archive and has no list of what is in it"),
    "cut_old.pt": (save(STATE, _use_new_zipfile_serialization=False)[:150], "is cut off or damaged: "),
    "empty.pt": (b"", "is empty; download or save it again, or name what builds it"),
    "text.pth": (b"hello", "is not what files of its ending are: it begins with b'hello'; download or save it again"),
    "pointer.pt": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a pointer of Git LFS, not the file "
                   "that it stands for; fetch that with `git lfs pull`"),
    "page.pt": (b"<!DOCTYPE HTML><html>", "is a web page, not a model; download the file itself"),
    "m.tflite": (b"\x1c\0\0\0TFL3\0\0", "is a TensorFlow Lite model; convert it to ONNX, as with `python -m "
                 "tf2onnx.convert --tflite m.tflite --output model.onnx`, and give that"),
    "unnamed": (b"\x1c\0\0\0TFL3\0\0", "is a TensorFlow Lite model"),
    "m.pte": (b"\x1c\0\0\0ET12\0\0", "is an ExecuTorch program, compiled for a device; give the torch.export program"),
    "m.ort": (b"\x1c\0\0\0ORTM\0\0", "is a model in the format of ONNX Runtime; give the ONNX file"),
    "m.engine": (b"ftrt\0\0", "is a TensorRT engine, compiled for one kind of GPU; give the ONNX file that it was made from"),
    "m.mlmodel": (b"\x08\x04", "is a Core ML model; give the ONNX file that it was made from, or name what builds it"),
    "m.pb": (b"\x0a\x04", "is a TensorFlow graph; convert it to ONNX, as with `python -m tf2onnx.convert --graphdef m.pb "),
    "m.h5": (b"\x89HDF\r\n\x1a\n\0", "is a model or weights of Keras, in HDF5; load it in Keras, save it as ONNX"),
    "m.keras": (archive("metadata.json", "config.json", "model.weights.h5"), "is a model of Keras; load it in Keras"),
    "m.mar": (archive("MAR-INF/MANIFEST.json", "model.pt"), "is an archive for TorchServe; unpack it, and give the TorchScript"),
    "m.npz": (archive("a.npy", "b.npy"), "holds arrays of numpy, not a network; name what builds it"),
    "package.pt": (archive("p/.data/extern_modules", "p/a.py"), "is a torch.package, whose Python code would run when"),
    "all.zip": (archive("a", "b", "c", "d"), "is an archive of other files (a, b, c, …); unpack it and give the model"),
    "none.zip": (archive(), "is an archive with nothing in it; unpack it"),
    "all.tar": (tar(a=b"1"), "is a tar archive; unpack it and give the model that is in it"),
    "m.pt.gz": (b"\x1f\x8b\x08", "is compressed; unpack it, and give the model that is in it"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_it_is_said_what_a_file_is_and_what_to_give(capsys, folder, name):
    data, says = FILES[name]
    (folder / name).write_bytes(data)
    assert main(["table", name]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"'{name}' {says}" in err


def test_one_file_among_models_is_a_row_that_says_so(capsys, folder):
    (folder / "state.pt").write_bytes(save(STATE))
    assert main(["table", "state.pt", "resnet20", "--format", "json"]) == 1
    refused, counted = json.loads(capsys.readouterr().out)["rows"]
    assert f"{HOLDS}: {TWO}" in refused["error"]
    assert counted["macs"] == 40_551_040


@pytest.mark.parametrize(
    ("holds", "says"),
    [
        ("saved_model.pb", "is a SavedModel of TensorFlow; convert it to ONNX, as with `python -m tf2onnx.convert "
         "--saved-model net --output model.onnx`"),
        ("Manifest.json", "is a Core ML package; give the ONNX file that it was made from"),
        (".metadata", "is a checkpoint of torch.distributed: weights, not the network that they belong to"),
        ("data.pkl", "is an archive of torch that was unpacked; give the file itself"),
    ],
)  # fmt: skip
def test_it_is_said_what_a_folder_is(capsys, folder, holds, says):
    (folder / "net").mkdir()
    (folder / "net" / holds).write_text("x")
    assert main(["table", "net"]) == 2
    assert f"'net' {says}" in capsys.readouterr().err


def test_names_and_shapes_name_the_network(folder):
    from torchvision.models import resnet18

    torch.save(resnet18(num_classes=10), folder / "whole.pt")
    torch.save({"state_dict": resnet18().state_dict()}, folder / "state.pt")
    assert (
        "122 tensors with 11,699,132 elements under state_dict, named like layer3.0.conv1.weight; name "
        "torchvision/resnet18, whose names and shapes they have"
    ) in str(make_refusal("state.pt"))
    assert str(make_refusal("whole.pt")).endswith(
        "as in torchvision/resnet18,num_classes=10, whose names and shapes its weights have"
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_nobody_waits_for_a_pipe(capsys, folder):
    os.mkfifo(folder / "pipe.pt")
    assert main(["table", "pipe.pt"]) == 2
    assert "'pipe.pt' is not a regular file" in capsys.readouterr().err
