"""Reading what a checkpoint holds from its bytes, in each of the forms that torch and others write."""

import json
import tarfile
import zipfile
from pathlib import Path
from typing import IO

from resflops.records import Shape
from resflops.sources.checkpoints.contents import Contents, find_contents
from resflops.sources.checkpoints.pickled import NotRead, Value, read_pickles

__all__ = ["read_archive", "read_pickle_file", "read_safetensors", "read_tar"]

LARGEST = 1 << 26
"""The most bytes of a pickle or a header that are read; those of weights are far smaller."""

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def read_archive(archive: zipfile.ZipFile) -> Contents:
    """Read the pickle in an archive of ``torch.save``.

    Raises:
        NotRead: there is none, or it is broken.
    """
    names = [name for name in archive.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
    if not names:
        raise NotRead("it has no data.pkl")
    try:
        with archive.open(names[0]) as member:
            return find_contents(_read_first(member))
    except (OSError, RuntimeError, zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise NotRead(str(error)) from error


def read_pickle_file(path: Path) -> Contents:
    """Read a file that is a pickle: of Python's own, or as torch wrote them before version 1.6.

    Raises:
        NotRead: it is no pickle.
    """
    with path.open("rb") as file:
        data = file.read(LARGEST)
    pickles = read_pickles(data)
    try:
        first = next(pickles)
        # Such a file begins with a number, a version and facts about the machine; tensors' values follow.
        if first == _LEGACY_MAGIC:
            next(pickles), next(pickles)
            first = next(pickles)
    except StopIteration as error:
        raise NotRead("it is cut off") from error
    return find_contents(first)


def read_tar(path: Path) -> Contents:
    """Read a tar file as the first versions of torch wrote them.

    Raises:
        NotRead: it is none.
    """
    try:
        with tarfile.open(path) as archive:
            member = archive.extractfile("pickle")
            if member is None:
                raise NotRead("it has no pickle")
            return find_contents(_read_first(member))
    except (KeyError, OSError, tarfile.TarError, EOFError) as error:
        raise NotRead(str(error)) from error


def _read_first(file: IO[bytes]) -> Value:
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise NotRead("its pickle is too large")
    return next(read_pickles(data))


def read_safetensors(path: Path) -> Contents:
    """Read the header of a safetensors file, which is JSON.

    Raises:
        NotRead: it has none.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= LARGEST:
            raise NotRead("its header has no sensible length")
        data = file.read(length)
    try:
        header = json.loads(data)
        shapes: dict[str, Shape] = {
            name: tuple(map(int, entry["shape"])) for name, entry in header.items() if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotRead("its header is not what such a file has") from error
    return Contents(shapes=shapes)
