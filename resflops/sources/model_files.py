"""Files that people give as models: which kind each is, and what to give instead of others."""

import json
import os
import re
import zipfile
from pathlib import Path

from resflops.errors import FileError, ModelError
from resflops.storage.writing import read_bytes

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

SUFFIXES = (
    ".bin", ".ckpt", ".engine", ".gguf", ".h5", ".joblib", ".keras", ".mar", ".mlmodel", ".npz", ".onnx",
    ".ort", ".pb", ".pickle", ".pkl", ".pt", ".pt2", ".pte", ".pth", ".ptl", ".py", ".safetensors", ".tflite",
    ".torchscript",
)  # fmt: skip
"""Endings by which a name is that of a file, whether or not the file exists."""

GRAPH = ".onnx"
_OF_PROGRAM = re.compile(r"/models/[^/]+\.json$|/data/aotinductor/|^serialized_exported_program\.json$")
"""Files in an archive of torch.export's, or of what torch compiles from it."""


def is_model_file(name: str) -> bool:
    """Tell whether a name is that of a file or a folder rather than of a model."""
    path = os.path.expanduser(name)  # noqa: PTH111 - for any text at all
    return (
        path.lower().endswith(SUFFIXES)
        or name.startswith(("./", "../", "~", "/"))
        or os.path.isfile(path)  # noqa: PTH113
        or (os.path.isdir(path) and (holds_config(name) or _holds_folder_format(path)))  # noqa: PTH112
    )


def _holds_folder_format(path: str) -> bool:
    from resflops.sources.checkpoints.formats import find_folder_format

    return find_folder_format(Path(path)) is not None


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
    """Read which model an archive of torch holds: ``program``, ``script``, or ``""`` for any other file.

    Nothing in the file is run.
    """
    try:
        # To open a pipe would wait for someone who writes to it.
        if not path.is_file():
            return ""
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, NotImplementedError):
        return ""
    if any(map(_OF_PROGRAM.search, names)):
        return "program"
    return "script" if any("/code/" in name for name in names) else ""


def make_unreadable_error(name: str) -> ModelError:
    """Make the error for a file that cannot be counted; it says what to give in its place."""
    # Few names are those of such files.
    from resflops.sources.checkpoints.refusals import make_refusal

    beside = str(Path(name).expanduser().parent / CONFIG_FILE)
    return make_refusal(name, beside if holds_config(beside) else "")
