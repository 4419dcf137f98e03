"""The files of a commit, as git lists them, without checking them out."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

from resflops.gate.git import run_git

__all__ = ["FileTree", "read_file", "read_tree"]

NATIVE = frozenset({
    ".a", ".bin", ".ckpt", ".db", ".dll", ".dylib", ".engine", ".h5", ".hdf5", ".lib", ".model", ".msgpack",
    ".npy", ".npz", ".onnx", ".ort", ".parquet", ".pb", ".pkl", ".pt", ".pt2", ".pth", ".pyd", ".safetensors",
    ".so", ".tflite",
})  # fmt: skip
"""How the names of files end that libraries read without Python, so that it cannot be seen who reads them."""
ATTRIBUTES = ".gitattributes"
"""The files that say what git makes of others when it checks them out."""
FOLDER = "folder"


class FileTree:
    """The files of a commit, by their paths from its top folder, which is ``"."``."""

    def __init__(self, digest: str, files: Mapping[str, str]) -> None:
        """Take the files.

        Args:
            digest: the hash of all of them.
            files: the path of each, with its mode and the hash of its content.
        """
        self.digest = digest
        self.files = files

    def describe(self, path: str) -> str:
        """Tell what is at a path: the mode and hash of a file, ``"folder"``, or ``""`` for nothing."""
        return self.files.get(path) or (FOLDER if path in self._folders else "")

    def list_names(self, folder: str) -> tuple[str, ...]:
        """List what is in a folder."""
        return tuple(sorted(self._folders.get(folder, ())))

    def list_modules(self, folder: str, name: str) -> tuple[str, ...]:
        """List what an import of a name may find in a folder, such as ``name`` and ``name.py``."""
        return self._modules.get(folder, {}).get(name, ())

    @cached_property
    def always_read(self) -> Mapping[str, str]:
        """The files that are taken to be read in any case."""
        return {
            path: state
            for path, state in self.files.items()
            if PurePosixPath(path).suffix.lower() in NATIVE or path.rpartition("/")[2] == ATTRIBUTES
        }

    @cached_property
    def _folders(self) -> Mapping[str, set[str]]:
        folders: dict[str, set[str]] = {}
        for path in self.files:
            name = path
            while name != ".":
                folder, _, last = name.rpartition("/")
                names = folders.setdefault(folder or ".", set())
                if last in names:
                    break
                names.add(last)
                name = folder or "."
        return folders

    @cached_property
    def _modules(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        return {folder: _group_by_stem(names) for folder, names in self._folders.items()}


def _group_by_stem(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    stems: dict[str, tuple[str, ...]] = {}
    for name in sorted(names):
        stem = name.partition(".")[0]
        stems[stem] = (*stems.get(stem, ()), name)
    return stems


def read_tree(digest: str, repository: Path) -> FileTree:
    """Read which files a commit has.

    Args:
        digest: the hash of all its files.
        repository: the top folder of the repository.

    Raises:
        RevisionError: git cannot read it.
    """
    listed = run_git(
        repository, "ls-tree", "-r", "-z", "--full-tree", digest, failure=f"git could not list {digest}"
    )
    entries = (entry.split("\t", 1) for entry in listed.split("\0") if entry)
    return FileTree(digest, {path: " ".join(state.split()[::2]) for state, path in entries})


def read_file(digest: str, path: str, repository: Path) -> str:
    """Read a file among those of a commit.

    Args:
        digest: the hash of all files of the commit.
        path: the path from the top folder.
        repository: the top folder of the repository.

    Raises:
        RevisionError: git cannot read it.
    """
    return run_git(repository, "cat-file", "blob", f"{digest}:{path}", failure=f"git could not read {path}")
