"""Run git: find the repository, resolve and name commits, and check them out beside the user's work tree."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from resflops.errors import RevisionError, suggest
from resflops.storage.writing import name_temporary, remove_abandoned

__all__ = ["Checkout", "find_repository", "name_commit", "open_checkout", "resolve_commit", "run_git"]

PREFIX = "resflops-checkout-"


def run_git(folder: Path, *arguments: str, failure: str, environment: Mapping[str, str] | None = None) -> str:
    """Run git and return what it prints.

    Args:
        folder: the folder to run it in.
        arguments: the arguments of the command.
        failure: the message if it fails, to which git's own reason is added.
        environment: variables to set for it.

    Raises:
        RevisionError: git failed, or cannot be run.
    """
    try:
        process = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whatever git the user has
            capture_output=True,
            text=True,
            encoding="utf-8",
            # Names of files are bytes to git.
            errors="surrogateescape",
            check=False,
            # In English, because the reason is compared below.
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
        )
    except OSError as error:
        raise RevisionError(
            f"git could not be run: {error.strerror}; install it to count at other revisions"
        ) from error
    if process.returncode:
        reason = process.stderr.strip().rpartition("\n")[2]
        # Git's reason is left out where the message says the same already.
        is_said = not reason or ("not in a git repository" in failure and "not a git repository" in reason)
        raise RevisionError(failure if is_said else f"{failure}: {reason}")
    return process.stdout.strip()


def find_repository(folder: Path) -> Path:
    """Find the top folder of the git repository that a folder lies in.

    Raises:
        RevisionError: the folder is in no git repository, or git cannot be run.
    """
    return Path(
        run_git(folder, "rev-parse", "--show-toplevel", failure=f"{folder} is not in a git repository")
    )


def resolve_commit(name: str, repository: Path) -> str:
    """Find the full hash of the commit that a name stands for.

    Raises:
        RevisionError: git does not know it; the message has near names.
    """
    try:
        return run_git(
            repository,
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}",
            failure=f"git does not know the revision {name!r} here",
        )  # fmt: skip
    except RevisionError as error:
        listed = run_git(
            repository, "for-each-ref", "--format=%(refname:short)", failure="git could not list its names"
        )
        raise RevisionError(
            f"git does not know the revision {name!r} here{suggest(name, listed.split())}; "
            "in a shallow clone fetch it first, as with fetch-depth: 0 of actions/checkout"
        ) from error


def name_commit(commit: str, repository: Path) -> str:
    """Name a commit as people know it: ``c4495ea (its subject)``."""
    return run_git(
        repository, "log", "-1", "--format=%h (%s)", commit, failure=f"git does not know the commit {commit}"
    )


class Checkout:
    """A folder with the files of one commit after another.

    It has an index of its own. So the user's work tree, index, references and list of worktrees stay as they
    are, and a process that is killed leaves nothing in the repository.
    """

    def __init__(self, repository: Path, place: Path) -> None:
        """Prepare an empty folder.

        Args:
            repository: the top folder of the repository.
            place: the folder to put it in.

        Raises:
            RevisionError: git cannot be run.
        """
        self.folder = place / "tree"
        self.folder.mkdir()
        self._repository = repository
        self._git_folder = run_git(
            repository, "rev-parse", "--absolute-git-dir", failure=f"{repository} is not in a git repository"
        )
        self._environment = {"GIT_INDEX_FILE": str(place / "index")}

    def move_to(self, commit: str) -> None:
        """Make the files those of a commit, and no others.

        Raises:
            RevisionError: the commit cannot be checked out.
        """
        try:
            self._run("read-tree", "--reset", "-u", commit)
            # What a model wrote, ignored by git or not.
            self._run("clean", "-ffdxq")
        except RevisionError as error:
            name = name_commit(commit, self._repository)
            raise RevisionError(f"{name} could not be checked out: {error}") from error

    def _run(self, *arguments: str) -> None:
        run_git(
            # In the folder itself: git reads and removes paths relative to the current one.
            self.folder,
            f"--git-dir={self._git_folder}",
            f"--work-tree={self.folder}",
            # Hooks, and settings of the user's own work tree.
            *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"),
            *("-c", "core.sparseCheckout=false", "-c", "submodule.recurse=false"),
            *arguments,
            failure=f"git {arguments[0]} failed",
            environment=self._environment,
        )


@contextmanager
def open_checkout(repository: Path) -> Iterator[Checkout]:
    """Give an empty folder to check out commits into, and remove it at the end.

    Args:
        repository: the top folder of the repository.
    """
    parent = Path(tempfile.gettempdir())
    # Those of processes that were killed.
    remove_abandoned(parent, PREFIX)
    with tempfile.TemporaryDirectory(
        prefix=name_temporary(PREFIX), dir=parent, ignore_cleanup_errors=True
    ) as temporary:
        yield Checkout(repository, Path(temporary).resolve())
