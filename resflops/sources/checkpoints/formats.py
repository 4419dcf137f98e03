"""Forms of files that hold no model which could be counted: how each is told, and what to give instead."""

from pathlib import Path

from msgspec import Struct

__all__ = ["FOLDERS", "FORMATS", "FileFormat", "FolderFormat", "find_folder_format", "find_format"]

# In these ``{builder}`` stands for the advice to name what builds a model, and ``{name}`` for the file.
_NAME = "name {builder}"
_SOURCE = "give the ONNX file that it was made from, or name {builder}"
_UNPACK = "unpack it, and give the model that is in it"
_FROM_KERAS = (
    'load it in Keras, save it as ONNX with `model.export("model.onnx", format="onnx")`, and give that, or '
    + _NAME
)
_WEIGHTS = "weights, not the network that they belong to"


def _convert(how: str) -> str:
    return f"convert it to ONNX, as with `python -m tf2onnx.convert {how} --output model.onnx`, and give that"


class FileFormat(Struct, frozen=True):
    """A form of file."""

    what: str
    """What it is, after "is"."""
    remedy: str
    """What to do."""
    endings: tuple[str, ...] = ()
    """Endings of names; they tell the form only where no ``start`` does."""
    start: bytes = b""
    """The bytes at the beginning that tell it, if any do, in lower case if their case does not matter."""
    skip: int = 0
    """How many bytes stand before those."""


FORMATS = (
    FileFormat("a pointer of Git LFS, not the file that it stands for", "fetch that with `git lfs pull`",
               start=b"version https://git-lfs.github.com/"),
    FileFormat("a web page, not a model", "download the file itself", start=b"<!doctype html"),
    FileFormat("a web page, not a model", "download the file itself", start=b"<html"),
    FileFormat("a TensorFlow Lite model", _convert("--tflite {name}"), (".tflite",), b"TFL3", 4),
    FileFormat("an ExecuTorch program, compiled for a device",
               f"give the torch.export program that it was made from, as in program.pt2, or {_NAME}",
               (".pte",), b"ET1", 4),
    FileFormat("a model in the format of ONNX Runtime", "give the ONNX file that it was made from",
               (".ort",), b"ORTM", 4),
    FileFormat("a TensorRT engine, compiled for one kind of GPU", _SOURCE, (".engine", ".plan", ".trt"),
               b"ftrt"),
    FileFormat("a TensorRT engine, compiled for one kind of GPU", _SOURCE, start=b"ptrt"),
    FileFormat("a Core ML model", _SOURCE, (".mlmodel",)),
    FileFormat("a TensorFlow graph", _convert("--graphdef {name} --inputs x:0 --outputs y:0"),
               (".pb", ".pbtxt")),
    FileFormat("a model or weights of Keras, in HDF5", _FROM_KERAS, (".h5", ".hdf5"), b"\x89HDF\r\n\x1a\n"),
    FileFormat("a model of Keras", _FROM_KERAS, (".keras",)),
    FileFormat(f"a checkpoint of TensorFlow: {_WEIGHTS}", _NAME, (".index", ".data-00000-of-00001", ".meta")),
    FileFormat(f"a file of Flax: {_WEIGHTS}", _NAME, (".msgpack",)),
    FileFormat("an array of numpy", _NAME, (".npy",), b"\x93NUMPY"),
    FileFormat("a model of OpenVINO", _SOURCE, (".xml",)),
    FileFormat("a model of PaddlePaddle", "convert it to ONNX with paddle2onnx, and give that",
               (".pdmodel", ".pdiparams", ".pdparams")),
    FileFormat("a model of Caffe", _NAME, (".caffemodel", ".prototxt")),
    FileFormat("a model of ncnn or MNN, compiled for a device", _SOURCE, (".param", ".mnn")),
    FileFormat(f"a file of Darknet: {_WEIGHTS}", _NAME, (".weights",)),
    FileFormat("compressed", _UNPACK, (".gz", ".tgz"), b"\x1f\x8b"),
    FileFormat("compressed", _UNPACK, (".xz",), b"\xfd7zXZ\x00"),
    FileFormat("compressed", _UNPACK, (".bz2",), b"BZh"),
    FileFormat("compressed", _UNPACK, (".zst",), b"\x28\xb5\x2f\xfd"),
    FileFormat("compressed", _UNPACK, (".7z",), b"7z\xbc\xaf\x27\x1c"),
)  # fmt: skip


class FolderFormat(Struct, frozen=True):
    """A folder that a program wrote as one model."""

    what: str
    remedy: str
    holds: tuple[str, ...]
    """Files that tell it; one of them is enough."""


FOLDERS = (
    FolderFormat("a SavedModel of TensorFlow", _convert("--saved-model {name}"),
                 ("saved_model.pb", "saved_model.pbtxt")),
    FolderFormat("a Core ML package", _SOURCE, ("Manifest.json",)),
    FolderFormat(f"a checkpoint of torch.distributed: {_WEIGHTS}", _NAME, (".metadata",)),
    FolderFormat("an archive of torch that was unpacked", "give the file itself",
                 ("data.pkl", "archive/data.pkl")),
)  # fmt: skip


def find_format(path: Path, start: bytes) -> FileFormat | None:
    """Find the form of a file: by the bytes that it begins with, else by the ending of its name."""
    for each in FORMATS:
        found = start[each.skip :]
        if each.start and (found.startswith(each.start) or found.lower().startswith(each.start)):
            return each
    name = path.name.lower()
    return next((each for each in FORMATS if each.endings and name.endswith(each.endings)), None)


def find_folder_format(path: Path) -> FolderFormat | None:
    """Find what wrote a folder as one model."""
    return next((each for each in FOLDERS if any((path / name).exists() for name in each.holds)), None)
