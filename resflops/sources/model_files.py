"""Files that people give as models: which kind each is, and what to give instead of others."""

import json
import os
import pickletools
import zipfile
from pathlib import Path

from resflops.errors import FileError, ModelError, UnknownModelError
from resflops.writing import read_bytes

__all__ = [
    "CONFIG_FILE",
    "holds_config",
    "holds_model",
    "is_graph_file",
    "is_model_file",
    "make_unreadable_error",
    "read_kind",
]

CONFIG_FILE = "config.json"
LARGEST_CONFIG = 1 << 24

SUFFIXES = (".bin", ".ckpt", ".gguf", ".h5", ".onnx", ".pt", ".pt2", ".pth", ".py", ".safetensors")
"""Endings by which a name is that of a file, whether or not the file exists."""

WEIGHTS = "weights"
GRAPH = ".onnx"


def is_model_file(name: str) -> bool:
    """Tell whether a name is that of a file or a folder rather than of a model."""
    path = os.path.expanduser(name)  # noqa: PTH111 - for any text at all
    return (
        path.lower().endswith(SUFFIXES)
        or name.startswith(("./", "../", "~", "/"))
        or os.path.isfile(path)  # noqa: PTH113
        or (os.path.isdir(path) and holds_config(name))  # noqa: PTH112
    )


def holds_config(name: str) -> bool:
    """Tell whether a file, or config.json in a folder, is the config of a Hugging Face model."""
    try:
        path = Path(name).expanduser()
        path = path / CONFIG_FILE if path.is_dir() else path
        if path.suffix != ".json" or not path.is_file():
            return False
        document = json.loads(read_bytes(path, most=LARGEST_CONFIG))
    except (OSError, RuntimeError, ValueError, FileError):
        return False
    return isinstance(document, dict) and ("model_type" in document or "architectures" in document)


def holds_model(name: str) -> bool:
    """Tell whether a file can be counted, or is of a kind that is mistaken for one that can be."""
    return name.lower().endswith(SUFFIXES) or holds_config(name)


def is_graph_file(spec: str) -> bool:
    """Tell whether a spec is of a file whose graph is read without torch."""
    return spec.partition(",")[0].lower().endswith(GRAPH)


def read_kind(path: Path) -> str:
    """Read what an archive of torch holds: ``program``, ``script``, ``weights``, or the class of a model.

    Nothing in the file is run. A class is written ``module:Class``. ``""`` is any other file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if any(
                name.endswith(("/models/model.json", "serialized_exported_program.json")) for name in names
            ):
                return "program"
            if any("/code/" in name for name in names):
                return "script"
            pickles = [name for name in names if name.endswith("data.pkl")]
            return _read_pickled_class(archive.read(pickles[0])) if pickles else ""
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, NotImplementedError):
        return ""


def _read_pickled_class(pickled: bytes) -> str:
    """Read the class of what was pickled; weights are dicts of tensors."""
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "GLOBAL" and isinstance(argument, str):
            module, _, name = argument.partition(" ")
            return WEIGHTS if module in {"collections", "torch._utils", "torch"} else f"{module}:{name}"
    return WEIGHTS


def make_unreadable_error(name: str, kind: str) -> ModelError:
    """Make the error for a file that cannot be counted; it says what to give in its place."""
    path = Path(name).expanduser()
    suffix = path.suffix.lower()
    if not path.exists():
        return UnknownModelError(
            f"there is no file {str(path)!r} in {Path.cwd()}; give a model's name, or the path of a file"
        )
    builder = "what builds it, such as torchvision/resnet50 or a class of yours as in model.py:Net"
    if path.is_dir():
        return UnknownModelError(f"{name!r} is a folder without a {CONFIG_FILE}; name {builder}")
    if ":" in kind:
        module, _, named = kind.partition(":")
        example = f"model.py:{named}" if module == "__main__" else kind
        return ModelError(
            f"{name!r} is a pickled model of the class {named}, and loading it would run code from the file; "
            f"name what builds it instead, as in {example}"
        )
    beside = path.parent / CONFIG_FILE
    if kind == WEIGHTS or suffix in {".bin", ".ckpt", ".gguf", ".h5", ".pt", ".pth", ".safetensors"}:
        network = f"hf/{beside}, the config beside it" if holds_config(str(beside)) else builder
        return ModelError(f"{name!r} holds weights, not the network that they belong to; name {network}")
    if suffix == ".json":
        return ModelError(
            f"{name!r} is not the config of a Hugging Face model: it has no model_type; "
            "resflops diff takes saved traces, costs and lock files"
        )
    return ModelError(f"{name!r} is not a file that a model can be read from; name {builder}")
