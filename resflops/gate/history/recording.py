"""Record what a process reads of a commit: the files, folders and modules, also those that are missing.

Python tells of every file that it opens and of every folder that it lists (its audit events), and asks every
finder of modules for what it imports. Only questions about files, as by ``Path.exists``, it does not tell of,
so the functions that ask them are replaced. All of that cannot be taken back: it is for a process that ends.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from resflops.gate.history.reads import Recorded

__all__ = ["Recorder"]

PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty")
"""The events of a program that is started, whose reading is not seen."""
QUESTIONS = ("stat", "lstat", "access", "readlink")
"""The functions that ask about files; all others of Python's own go through them."""
ABILITIES = ("supports_dir_fd", "supports_effective_ids", "supports_fd", "supports_follow_symlinks")
"""Where ``os`` keeps which of its functions can do what."""
STANDARD_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120
IMPORT_SYSTEM = "<frozen importlib._bootstrap_external>"
WRITES = os.O_WRONLY | os.O_RDWR


class Recorder:
    """Records from when it is started."""

    def __init__(self, root: Path, *, installed: Iterable[str]) -> None:
        """Prepare it.

        Args:
            root: the folder of the commit, without links in its path.
            installed: folders elsewhere whose content is known to be the same.
        """
        self._root = str(root)
        self._installed = tuple(f"{os.path.realpath(folder)}{os.sep}" for folder in installed)
        self._files: dict[str, None] = {}
        self._folders: dict[str, None] = {}
        self._modules: dict[tuple[str, str], None] = {}
        self._outside: dict[str, None] = {}
        self._unknown = ""
        self._busy = False

    def start(self) -> None:
        """Record from now on, until the process ends."""
        sys.meta_path.insert(0, _Listener(self._note_module))
        for name in QUESTIONS:
            function = getattr(os, name)
            told = self._tell(function)
            setattr(os, name, told)
            for ability in ABILITIES:
                if function in getattr(os, ability):
                    getattr(os, ability).add(told)
        sys.addaudithook(self._hear)

    def finish(self) -> Recorded:
        """Return what was recorded so far."""
        return Recorded(
            files=tuple(self._files),
            folders=tuple(self._folders),
            modules=tuple(self._modules),
            outside=tuple(self._outside),
            unknown=self._unknown,
        )

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._note_opened(*arguments)
        elif event in {"os.listdir", "os.scandir"}:
            # Python lists a folder to find a module in it; which one, the finder is told.
            if sys._getframe(1).f_code.co_filename != IMPORT_SYSTEM:  # noqa: SLF001 - the one way to ask
                self._note(arguments[0] or ".", self._folders)
        elif event in PROGRAMS and not self._unknown and self._is_called_from_root():
            self._unknown = f"it runs another program ({event})"

    def _note_opened(self, path: object, mode: str | None, flags: int) -> None:
        # With a descriptor, it was opened before.
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        is_read = not (set(mode) & set("wax+")) if mode else not (flags & WRITES)
        self._note(path, self._files, outside=is_read)

    def _tell(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def ask(path: Any, *arguments: Any, **settings: Any) -> Any:  # noqa: ANN401 - whatever it takes
            if not self._busy and not isinstance(path, int):
                self._note(path, self._files)
            return function(path, *arguments, **settings)

        return ask

    def _note(self, path: Any, kept: dict[str, None], *, outside: bool = False) -> None:  # noqa: ANN401
        if self._busy:
            return
        # What follows asks about files itself.
        self._busy = True
        try:
            name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - links are followed below, one by one
            real = os.path.realpath(name)
            # Of a link that leads elsewhere, both count, and every link in between.
            for each in {name, real}:
                if each == self._root or each.startswith(f"{self._root}{os.sep}"):
                    kept.setdefault(self._shorten(each))
                    self._note_links(each)
                elif outside and each == real and not each.startswith(self._installed):
                    self._outside.setdefault(each)
        except (OSError, ValueError, TypeError):
            # What is no path, Python itself complains about.
            pass
        finally:
            self._busy = False

    def _note_links(self, path: str) -> None:
        while len(path) > len(self._root):
            if os.path.islink(path):  # noqa: PTH114
                self._files.setdefault(self._shorten(path))
            path = os.path.dirname(path)  # noqa: PTH120

    def _shorten(self, path: str) -> str:
        return os.path.relpath(path, self._root).replace(os.sep, "/")

    def _note_module(self, name: str, folders: Sequence[str]) -> None:
        last = name.rpartition(".")[2]
        for folder in folders:
            place = os.path.realpath(folder)
            if place == self._root or place.startswith(f"{self._root}{os.sep}"):
                self._modules.setdefault((self._shorten(place), last))

    def _is_called_from_root(self) -> bool:
        """Whether code of the commit itself starts a program, and not a package that it uses."""
        frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - as above
        while frame is not None:
            name = frame.f_code.co_filename
            # Of code without a file, such as that of exec(), whoever runs it is asked.
            if not name.startswith((STANDARD_LIBRARY, "<")) or "site-packages" in name:
                return os.path.abspath(name).startswith(self._root)  # noqa: PTH100
            frame = frame.f_back
        return False


class _Listener(MetaPathFinder):
    """Hears of every module that is looked for, and finds none."""

    def __init__(self, note: Callable[[str, Sequence[str]], None]) -> None:
        self._note = note

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Note what is looked for, and leave it to the other finders."""
        del target
        self._note(fullname, sys.path if path is None else tuple(path))
        return None
