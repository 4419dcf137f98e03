"""What a stored trace depends on, beside the model that was asked for: everything here goes into its key.

A trace of a named model follows from its name, its input and the code that is installed: resflops itself,
torch, the package that the model comes from, and whatever these import if it is there, as transformers does
with flash-attn. What is installed is told from the folders that Python imports from: their times, and the
names and versions in them. A file that is edited in place inside an installed package changes neither; after
that, ``--fresh`` or ``resflops cache --clear`` is needed.
"""

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from resflops._version import __version__
from resflops.records import SCHEMA_VERSION, Shape

__all__ = ["Folder", "Surroundings", "find_surroundings", "list_installed_folders", "make_key"]

ENTRY_VERSION = 1
"""The version of what an entry holds besides a trace."""

READ_BY_PACKAGES = (
    "ACCELERATE_", "ATTN_", "CUDA_", "DIFFUSERS_", "DISABLE_", "FLASH_", "HF_", "HIP_", "HSA_",
    "HUGGINGFACE_", "KERNELS_", "NVIDIA_", "PYTORCH_", "RESFLOPS_", "SAFETENSORS_", "TIMM_", "TORCH",
    "TRANSFORMERS_", "TRITON_", "USE_", "XFORMERS_", "XLA_",
)  # fmt: skip
"""How the environment variables begin that the packages read, with which models take other paths."""

NOT_READ = ("RESFLOPS_CACHE",)
SECRET = ("KEY", "PASSWORD", "SECRET", "TOKEN")
"""Words in the names of variables that decide who may download, and never what a model is."""

DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/accel")
"""Files by which a machine with an accelerator is known; some packages choose their code by it."""


class Folder(Struct, frozen=True):
    """One of the folders that Python imports from."""

    path: str
    changed: int
    """When something was last added to it or removed, in nanoseconds; 0 where nothing is installed."""
    names: tuple[str, ...]
    """The distributions in it with their versions; where none is, what can be imported from it."""


class Surroundings(Struct, frozen=True, kw_only=True):
    """All that traces of this process depend on."""

    entry_version: int = ENTRY_VERSION
    schema_version: int = SCHEMA_VERSION
    resflops: str
    own_source: tuple[int, int, int]
    """Number of resflops's own files, their bytes, and the time of the newest: its code may be a checkout."""
    python: str
    flags: tuple[str, ...]
    machine: tuple[str, ...]
    folders: tuple[Folder, ...]
    environment: tuple[tuple[str, str], ...]


def make_key(kind: str, *parts: str | Shape | None, within: Surroundings | None = None) -> str:
    """Make the key of an entry.

    Args:
        kind: what the entry holds, such as ``trace``.
        parts: what was asked for.
        within: what else it depends on; that of this process if not given.
    """
    known = _digest_process() if within is None else _digest(within)
    return hashlib.sha256(msgspec.json.encode((kind, parts)) + known).hexdigest()


@cache
def _digest_process() -> bytes:
    # Once, before any package is imported, which may change the environment and the path.
    return _digest(find_surroundings())


def _digest(surroundings: Surroundings) -> bytes:
    return hashlib.sha256(msgspec.json.encode(surroundings)).digest()


def find_surroundings(
    *, path: Iterable[str] | None = None, environment: Mapping[str, str] | None = None
) -> Surroundings:
    """Find what traces of this process depend on.

    Args:
        path: the folders to import from, instead of ``sys.path``.
        environment: the environment variables, instead of the process's own.
    """
    variables = os.environ if environment is None else environment
    return Surroundings(
        resflops=__version__,
        own_source=_summarize_own_source(),
        python=f"{sys.version} {sys.executable}",
        flags=tuple(map(str, (sys.flags.optimize, sys.flags.isolated, sys.flags.no_site))),
        machine=(sys.platform, *(device for device in DEVICES if Path(device).exists())),
        folders=tuple(_look_into(folder) for folder in (sys.path if path is None else path)),
        environment=tuple(sorted(_select_variables(variables))),
    )


def list_installed_folders(path: Iterable[str] | None = None) -> tuple[str, ...]:
    """List those folders to import from in which distributions are installed."""
    looked = map(_look_into, sys.path if path is None else path)
    return tuple(folder.path for folder in looked if folder.changed)


def _select_variables(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in variables.items():
        secret = any(word in name for word in SECRET)
        if name.startswith(READ_BY_PACKAGES) and name not in NOT_READ and not secret:
            yield name, value


def _summarize_own_source() -> tuple[int, int, int]:
    count = size = newest = 0
    for status in _stat_sources(str(Path(__file__).parents[1])):
        count, size, newest = count + 1, size + status.st_size, max(newest, status.st_mtime_ns)
    return count, size, newest


def _stat_sources(folder: str) -> Iterator[os.stat_result]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".py", ".json")):
                yield entry.stat()
            elif entry.name.isidentifier() and entry.name != "__pycache__" and entry.is_dir():
                yield from _stat_sources(entry.path)


def _look_into(folder: str) -> Folder:
    """Look what a folder has to import; one that is not there, or is an archive, has its time alone."""
    # "" stands for the current folder.
    path = os.path.abspath(folder)  # noqa: PTH100 - resolve() would follow links, and Python does not
    try:
        changed = os.stat(path).st_mtime_ns  # noqa: PTH116
        names = sorted(os.listdir(path))  # noqa: PTH208
    except NotADirectoryError:
        return Folder(path, 0, (str(changed),))
    except OSError:
        return Folder(path, 0, ())
    installed = tuple(name for name in names if name.endswith(".dist-info"))
    if installed:
        return Folder(path, changed, installed)
    # Names alone: a trace is stored only if nothing has been imported from here, but a new name may hide a
    # package, or be one that a package imports if it is there.
    return Folder(path, 0, tuple(name for name in names if _is_importable(name)))


def _is_importable(name: str) -> bool:
    # Python itself adds __pycache__ when it imports from a folder.
    named = name.isidentifier() and name != "__pycache__"
    return named or name.endswith((".py", ".so", ".pyd", ".egg-info", ".egg"))
