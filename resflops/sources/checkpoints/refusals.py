"""What is said of a file that no model can be read from: what it is, why it is not opened, what to give."""

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from resflops.errors import ModelError, UnknownModelError, pluralize
from resflops.sources.checkpoints.contents import Contents
from resflops.sources.checkpoints.fitting import find_network
from resflops.sources.checkpoints.formats import find_folder_format, find_format
from resflops.sources.checkpoints.gguf import read_architecture
from resflops.sources.checkpoints.pickled import NotRead
from resflops.sources.checkpoints.reading import (
    read_archive,
    read_pickle_file,
    read_safetensors,
    read_tar,
)

__all__ = ["make_refusal"]

BUILDER = "what builds it, such as torchvision/resnet50 or a class of yours as in model.py:Net"
_AGAIN = "download or save it again"
_RUNS = "and loading it would run code from the file"
_OF_TORCH = (".bin", ".ckpt", ".pt", ".pt2", ".pth", ".ptl", ".safetensors", ".torchscript")


class _Asked(Struct, frozen=True):
    """The file that is asked about."""

    name: str
    path: Path
    config: str
    """The config of a Hugging Face model beside it, ``""`` if there is none."""

    @property
    def network(self) -> str:
        """What to name in its place, as far as can be told without knowing what is in it."""
        return f"hf/{self.config}, the config beside it" if self.config else BUILDER

    def refuse(self, what: str, remedy: str) -> ModelError:
        """Make the error."""
        # Not by format: what the file says of itself may have braces in it.
        remedy = remedy.replace("{builder}", self.network).replace("{name}", self.name)
        return ModelError(f"{self.name!r} {what}; {remedy}")


def make_refusal(name: str, config: str = "") -> ModelError:
    """Make the error for a file or a folder that cannot be counted. Nothing in it is run.

    Args:
        name: the file, as it was given.
        config: the config of a Hugging Face model in the same folder, ``""`` if there is none.
    """
    path = Path(name).expanduser()
    asked = _Asked(name, path, config)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _refuse_folder(asked)
        if not stat.S_ISREG(mode):
            return asked.refuse("is not a regular file", "give the name of a file")
        with path.open("rb") as file:
            start = file.read(512)
        return (
            _refuse_file(asked, start)
            if start
            else asked.refuse("is empty", f"{_AGAIN}, or name {{builder}}")
        )
    except FileNotFoundError:
        return UnknownModelError(
            f"there is no file {str(path)!r} in {Path.cwd()}; give a model's name, or the path of a file"
        )
    except NotRead as reason:
        return asked.refuse(f"is cut off or damaged: {reason}", f"{_AGAIN}, or name {{builder}}")
    except (OSError, ValueError) as error:
        reason_given = getattr(error, "strerror", None) or str(error)
        return asked.refuse(f"could not be read: {reason_given}", "give a file that can be")


def _refuse_folder(asked: _Asked) -> ModelError:
    known = find_folder_format(asked.path)
    if known is None:
        return UnknownModelError(f"{asked.name!r} is a folder without a config.json; name {BUILDER}")
    return asked.refuse(f"is {known.what}", known.remedy)


def _refuse_file(asked: _Asked, start: bytes) -> ModelError:
    suffix = asked.path.suffix.lower()
    for tells, refuse in _BY_CONTENT:
        if tells(asked.path, start):
            return refuse(asked)
    if (known := find_format(asked.path, start)) is not None:
        return asked.refuse(f"is {known.what}", known.remedy)
    if suffix in _OF_TORCH:
        return asked.refuse(
            f"is not what files of its ending are: it begins with {start[:8]!r}",
            f"{_AGAIN}, or name {{builder}}",
        )
    if suffix == ".json":
        return asked.refuse(
            "is not the config of a Hugging Face model: it has no model_type",
            "resflops diff takes saved traces, costs and lock files",
        )
    return asked.refuse("is not a file that a model can be read from", "name {builder}")


def _refuse_archive(asked: _Asked) -> ModelError:
    try:
        archive = zipfile.ZipFile(asked.path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise NotRead("it begins as an archive and has no list of what is in it") from error
    with archive:
        names = archive.namelist()
        if any(each.endswith("data.pkl") for each in names):
            return _refuse_contents(asked, read_archive(archive))
    for tells, what, remedy in _ARCHIVES:
        if tells(names):
            return asked.refuse(what, remedy)
    inside = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return asked.refuse(
        f"is an archive of other files ({inside})" if names else "is an archive with nothing in it",
        "unpack it and give the model that is in it, or name {builder}",
    )


_ARCHIVES: tuple[tuple[Callable[[list[str]], bool], str, str], ...] = (
    (
        lambda names: "MAR-INF/MANIFEST.json" in names,
        "is an archive for TorchServe",
        "unpack it, and give the TorchScript or the Python file that is in it",
    ),
    (
        lambda names: any(each.endswith((".data/extern_modules", ".data/python_version")) for each in names),
        "is a torch.package, whose Python code would run when it is loaded",
        "name {builder}",
    ),
    (
        lambda names: "config.json" in names and any(each.endswith(".weights.h5") for each in names),
        "is a model of Keras",
        'load it in Keras, save it as ONNX with `model.export("model.onnx", format="onnx")`, and give that, '
        "or name {builder}",
    ),
    (
        lambda names: bool(names) and all(each.endswith(".npy") for each in names),
        "holds arrays of numpy, not a network",
        "name {builder}",
    ),
)
"""Archives by the names of what is in them."""


def _refuse_tar(asked: _Asked) -> ModelError:
    try:
        return _refuse_contents(asked, read_tar(asked.path))
    except NotRead:
        return asked.refuse(
            "is a tar archive", "unpack it and give the model that is in it, or name {builder}"
        )


def _refuse_gguf(asked: _Asked) -> ModelError:
    architecture, count = read_architecture(asked.path)
    of = f" of the architecture {architecture}" if architecture else ""
    made_from = "the config that it was made from, as in hf/path/to/config.json"
    return asked.refuse(
        "holds weights for llama.cpp, not the network that they belong to: "
        f"{count} {pluralize('tensor', count)}{of}",
        "name {builder}" if asked.config else f"name {made_from}",
    )


def _refuse_safetensors(asked: _Asked) -> ModelError:
    return _refuse_contents(asked, read_safetensors(asked.path))


def _refuse_pickle(asked: _Asked) -> ModelError:
    with asked.path.open("rb") as file:
        # Its arrays stand between the parts of the pickle.
        if b"joblib" in file.read(1 << 12):
            return asked.refuse(f"is a pickle of joblib's, {_RUNS}", "name {builder}")
    contents = read_pickle_file(asked.path)
    if contents.model or contents.shapes:
        return _refuse_contents(asked, contents)
    return asked.refuse(f"is a pickle without a model in it, {_RUNS}", "name {builder}")


_BY_CONTENT: tuple[tuple[Callable[[Path, bytes], bool], Callable[[_Asked], ModelError]], ...] = (
    (lambda _, start: start.startswith((b"PK\x03\x04", b"PK\x05\x06")), _refuse_archive),
    (lambda path, _: path.suffix.lower() == ".safetensors", _refuse_safetensors),
    (lambda _, start: start.startswith(b"GGUF"), _refuse_gguf),
    (lambda _, start: start.startswith(b"\x80"), _refuse_pickle),
    (lambda _, start: start[257:262] == b"ustar", _refuse_tar),
)
"""How a file is told by what is in it, and what refuses it."""


def _refuse_contents(asked: _Asked, contents: Contents) -> ModelError:
    """Refuse weights or a pickled model, and name the network that they fit."""
    fitting = find_network(contents.shapes)
    if contents.model:
        module, _, named = contents.model.partition(":")
        own = f"model.py:{named}" if module == "__main__" else contents.model
        example = f"{fitting}, whose names and shapes its weights have" if fitting else own
        return asked.refuse(
            f"is a pickled model of the class {named}, {_RUNS}",
            f"name what builds it instead, as in {example}",
        )
    remedy = "name {builder}"
    if not contents.shapes:
        return asked.refuse(f"was saved by torch without a model or a state dict in it, {_RUNS}", remedy)
    if fitting:
        remedy = f"name {fitting}, whose names and shapes they have"
    elif contents.built_by and not asked.config:
        remedy = f"name what builds it, which the file says is {contents.built_by}"
    return asked.refuse(f"holds weights, not the network that they belong to{_describe(contents)}", remedy)


def _describe(contents: Contents) -> str:
    """Say how many tensors there are, and how they are named: as the one in the middle of the matrices is."""
    shapes, count = contents.shapes, len(contents.shapes)
    matrices = [name for name, shape in shapes.items() if len(shape) > 1] or list(shapes)
    return (
        (" (a checkpoint of Lightning)" if contents.lightning else "")
        + f": {count} {pluralize('tensor', count)} with {contents.elements:,} elements"
        + (f" under {contents.key}" if contents.key else "")
        + f", named like {matrices[len(matrices) // 2]}"
    )
