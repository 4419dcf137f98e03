"""The files of a commit, as git lists them, without checking them out.

Git keeps a folder as an object that goes by the hash of all that is in it, so a folder that is the same at
many commits is read once, and one that nobody asks about is never read.
"""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from threading import Lock

from msgspec import Struct

from resflops.errors import RevisionError
from resflops.gate.git import run_git

__all__ = ["Entry", "FileTree", "FolderReader", "open_folders", "read_file"]

NATIVE = frozenset({
    ".a", ".bin", ".ckpt", ".db", ".dll", ".dylib", ".engine", ".h5", ".hdf5", ".lib", ".model", ".msgpack",
    ".npy", ".npz", ".onnx", ".ort", ".parquet", ".pb", ".pkl", ".pt", ".pt2", ".pth", ".pyd", ".safetensors",
    ".so", ".tflite",
})  # fmt: skip
"""How the names of files end that libraries read without Python, so that it cannot be seen who reads them."""
ATTRIBUTES = ".gitattributes"
"""The files that say what git makes of others when it checks them out."""
FOLDER = "folder"
FOLDER_MODE = "40000"


class Entry(Struct, frozen=True, gc=False):
    """What a folder has under one name."""

    mode: str
    """What it is, as git writes it: a file, one that can be run, a link, a folder, another repository."""
    digest: str
    """The hash of its content."""


Folder = Mapping[str, Entry]


class FolderReader:
    """Reads folders by their hashes, each once."""

    def __init__(self, read: Callable[[str], Folder]) -> None:
        """Take the function that reads one."""
        self._read = read
        self._folders: dict[str, Folder] = {}
        self._always_read: dict[str, Mapping[str, str]] = {}
        # Figures of several threads are looked up at once.
        self._lock = Lock()

    def read(self, digest: str) -> Folder:
        """Read a folder."""
        with self._lock:
            if digest not in self._folders:
                self._folders[digest] = self._read(digest)
            return self._folders[digest]

    def find_always_read(self, digest: str) -> Mapping[str, str]:
        """Find the files in a folder and below it that are taken to be read in any case."""
        if digest not in self._always_read:
            found = {}
            for name, entry in self.read(digest).items():
                if entry.mode == FOLDER_MODE:
                    below = self.find_always_read(entry.digest)
                    found.update({f"{name}/{path}": state for path, state in below.items()})
                elif name == ATTRIBUTES or PurePosixPath(name).suffix.lower() in NATIVE:
                    found[name] = _describe(entry)
            self._always_read[digest] = found
        return self._always_read[digest]


class FileTree:
    """The files of a commit, by their paths from its top folder, which is ``"."``."""

    def __init__(self, digest: str, folders: FolderReader) -> None:
        """Take the hash of its top folder, and what reads that and those below it."""
        self.digest = digest
        self._folders = folders

    def describe(self, path: str) -> str:
        """Tell what is at a path: the mode and hash of a file, ``"folder"``, or ``""`` for nothing."""
        parent, _, name = path.rpartition("/")
        if path == ".":
            return FOLDER
        entry = self._find_folder(parent or ".").get(name)
        return _describe(entry) if entry else ""

    def list_names(self, folder: str) -> tuple[str, ...]:
        """List what is in a folder."""
        return tuple(sorted(self._find_folder(folder)))

    def list_modules(self, folder: str, name: str) -> tuple[str, ...]:
        """List what an import of a name may find in a folder, such as ``name`` and ``name.py``."""
        return tuple(each for each in self._find_folder(folder) if each.partition(".")[0] == name)

    @property
    def always_read(self) -> Mapping[str, str]:
        """The files that are taken to be read in any case."""
        return self._folders.find_always_read(self.digest)

    def _find_folder(self, path: str) -> Folder:
        """Find a folder; one that is not there is empty."""
        digest = self.digest
        for part in path.split("/") if path != "." else ():
            entry = self._folders.read(digest).get(part)
            if entry is None or entry.mode != FOLDER_MODE:
                return {}
            digest = entry.digest
        return self._folders.read(digest)


def _describe(entry: Entry) -> str:
    return FOLDER if entry.mode == FOLDER_MODE else f"{entry.mode} {entry.digest}"


@contextmanager
def open_folders(repository: Path) -> Iterator[FolderReader]:
    """Start the git process that reads the folders of a repository, and end it.

    Args:
        repository: the top folder of the repository.

    Raises:
        RevisionError: git cannot be run, or cannot read a folder.
    """
    try:
        process = subprocess.Popen(  # noqa: S603
            ["git", "-C", str(repository), "cat-file", "--batch"],  # noqa: S607 - whatever git the user has
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for the process that asks, which then ends this one.
            start_new_session=True,
        )
    except OSError as error:
        raise RevisionError(
            f"git could not be run: {error.strerror}; install it to read revisions"
        ) from error
    with process:
        try:
            yield FolderReader(lambda digest: _read_folder(process, digest))
        finally:
            process.kill()


def _read_folder(process: "subprocess.Popen[bytes]", digest: str) -> Folder:
    head: list[bytes] = []
    content = b""
    if process.stdin and process.stdout:
        process.stdin.write(f"{digest}\n".encode())
        process.stdin.flush()
        head = process.stdout.readline().split()
        if len(head) == 3:
            content = process.stdout.read(int(head[2]))
            process.stdout.read(1)
    if len(head) != 3 or head[1] != b"tree":
        raise RevisionError(f"git could not read the folder {digest}; check the repository with git fsck")
    return dict(_parse_folder(content, len(digest) // 2))


def _parse_folder(content: bytes, digest_size: int) -> Iterator[tuple[str, Entry]]:
    """Parse git's form of a folder: mode, a blank, the name, a null character, and the hash."""
    place = 0
    while place < len(content):
        blank = content.index(b" ", place)
        end = content.index(b"\0", blank) + 1
        name = content[blank + 1 : end - 1].decode(errors="surrogateescape")
        digest = content[end : end + digest_size].hex()
        yield name, Entry(content[place:blank].decode(), digest)
        place = end + digest_size


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
